//! A serve that is connected, and what is said to it.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use tokio::sync::mpsc;

use super::packets::Packets;
use super::protocol::Message;

type Parcel = (Message, Option<OwnedFd>);

/// Where messages for serve go; while nobody is connected they are dropped, since a new serve asks for everything anyway.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    // Bounded in effect: an answer follows a call, and a preview announces its output once until serve replies.
    sender: Rc<RefCell<Option<mpsc::UnboundedSender<Parcel>>>>,
}

impl Outbox {
    /// Queues a message.
    pub fn send(&self, message: Message) {
        self.send_with(message, None);
    }

    /// Queues a message with a descriptor beside it.
    pub fn send_with(&self, message: Message, fd: Option<OwnedFd>) {
        if let Some(sender) = self.sender.borrow().as_ref() {
            let _serve_left = sender.send((message, fd));
        }
    }

    /// The newest serve is the one that is listened to: an older connection is of a process that is being replaced.
    pub fn connect(&self) -> mpsc::UnboundedReceiver<Parcel> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.sender.replace(Some(sender));
        receiver
    }

    /// Whether somebody is connected, which is as long as the queue lives.
    pub fn is_connected(&self) -> bool {
        self.sender.borrow().as_ref().is_some_and(|sender| !sender.is_closed())
    }
}

/// Sends what is queued until the connection or the queue ends.
pub async fn deliver(packets: Rc<Packets>, mut queue: mpsc::UnboundedReceiver<Parcel>) -> io::Result<()> {
    while let Some((message, fd)) = queue.recv().await {
        let bytes = serde_json::to_vec(&message)?;
        match &fd {
            Some(fd) => packets.send(&bytes, &[fd.as_fd()]).await?,
            None => packets.send(&bytes, &[]).await?,
        }
    }
    Ok(())
}
