//! Tickets: what a browser's own `EventSource`, which can send no header, shows instead of a token.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::id::{GenerationId, UserId, random_hex};
use crate::time::UnixMillis;

/// Seconds that a ticket is good for.
pub(super) const LIFETIME: u64 = 60;

/// Tickets that have not been used yet.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    open: Mutex<HashMap<String, Ticket>>,
}

#[derive(Debug)]
struct Ticket {
    generation: GenerationId,
    user: UserId,
    until: UnixMillis,
}

impl Tickets {
    /// One for the logs of this generation's preview. It opens one connection and nothing else.
    pub fn issue(
        &self,
        generation: &GenerationId,
        user: &UserId,
        now: UnixMillis,
    ) -> Result<(String, UnixMillis)> {
        let ticket = random_hex::<24>().map_err(Error::internal)?;
        let expires_at = now.plus_seconds(LIFETIME);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, ticket| ticket.until > now);
        let entry = Ticket { generation: generation.clone(), user: user.clone(), until: expires_at };
        open.insert(ticket.clone(), entry);
        Ok((ticket, expires_at))
    }

    /// Uses a ticket up, and says whose it was.
    pub fn redeem(&self, ticket: &str, generation: &GenerationId, now: UnixMillis) -> Result<UserId> {
        let found = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket);
        match found {
            Some(ticket) if ticket.generation == *generation && ticket.until > now => Ok(ticket.user),
            _ => Err(Error::Unauthorized {
                message: "This ticket was used, is too old or is for another preview: get a new one."
                    .to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_one_generation() {
        let (tickets, now) = (Tickets::default(), UnixMillis::now());
        let (one, other) = (GenerationId::random().unwrap(), GenerationId::random().unwrap());
        let ana = UserId("ana".into());
        let (ticket, _) = tickets.issue(&one, &ana, now).unwrap();
        assert!(tickets.redeem("guess", &one, now).is_err());
        assert_eq!(tickets.redeem(&ticket, &one, now).unwrap(), ana);
        assert!(tickets.redeem(&ticket, &one, now).is_err());
        let (ticket, _) = tickets.issue(&one, &ana, now).unwrap();
        assert!(tickets.redeem(&ticket, &other, now).is_err());
        assert!(tickets.redeem(&ticket, &one, now).is_err(), "who showed it to another has used it up");
    }

    #[test]
    fn a_ticket_is_good_for_a_minute() {
        let (tickets, now) = (Tickets::default(), UnixMillis::now());
        let (generation, ana) = (GenerationId::random().unwrap(), UserId("ana".into()));
        let in_time = UnixMillis(now.plus_seconds(60).0 - 1);
        let (ticket, until) = tickets.issue(&generation, &ana, now).unwrap();
        assert_eq!(until, now.plus_seconds(60));
        tickets.redeem(&ticket, &generation, in_time).unwrap();
        let (ticket, until) = tickets.issue(&generation, &ana, now).unwrap();
        assert!(tickets.redeem(&ticket, &generation, until).is_err());
        // Late ones are not kept for ever.
        tickets.issue(&generation, &ana, now).unwrap();
        tickets.issue(&generation, &ana, until).unwrap();
        assert_eq!(tickets.open.lock().unwrap().len(), 1);
    }
}
