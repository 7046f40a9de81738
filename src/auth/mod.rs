//! Who is calling, by signed tokens only: ours (HS256) and those of a host application whose public key is configured.

mod claims;
mod preview_token;
mod public_keys;
mod secret;

use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header};

use self::claims::{Claims, user};
pub use self::preview_token::is_same as is_same_token;
use self::public_keys::PublicKeys;
use self::secret::Secret;
use crate::config::Config;
pub use crate::config::Tier;
use crate::error::{Error, Result};
use crate::id::{PreviewId, UserId};
use crate::time::UnixMillis;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// How far the clock of a host application may be from ours, in seconds.
const FOREIGN_LEEWAY: u64 = 5;

/// Whoever a valid token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its `sub`.
    pub user: UserId,
    /// Its `tier`.
    pub tier: Tier,
}

/// The keys that tokens are checked and made with. Clones share them.
#[derive(Clone)]
pub struct Auth {
    keys: Arc<Keys>,
}

struct Keys {
    secret: Secret,
    own: DecodingKey,
    own_rules: Validation,
    public: PublicKeys,
    public_rules: Validation,
}

/// The keys could not be had. For the operator: it names files.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// The file with our key cannot be made or read.
    #[error(
        "The key for tokens in {path} cannot be made or read: check the data directory's owner and space."
    )]
    Secret {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The file with our key is not as we write it.
    #[error("The key for tokens in {path} {problem}")]
    UnusableSecret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: &'static str,
    },
    /// The configured public key cannot be used.
    #[error("PREVIEW_JWT_PUBLIC_KEY: {path} {problem}")]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

impl Auth {
    /// Reads the keys; makes ours at the first start, unless the configuration has one.
    ///
    /// # Errors
    /// If a key cannot be read, made or used.
    pub fn open(config: &Config) -> Result<Self, AuthSetupError> {
        let secret = match &config.jwt_secret {
            Some(text) => Secret::new(text.as_bytes()),
            None => secret::kept_in(&config.data_dir)?,
        };
        let public = match &config.jwt_public_key {
            Some(path) => PublicKeys::read(path)?,
            None => PublicKeys::default(),
        };
        let own = DecodingKey::from_secret(secret.bytes());
        let (own_rules, public_rules) = (own_rules(config), public_rules(config));
        Ok(Self { keys: Arc::new(Keys { secret, own, own_rules, public, public_rules }) })
    }

    /// Who a bearer token names. An unknown tier counts as `free`.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] if the token is malformed, expired or not ours.
    pub fn verify(&self, bearer: &str) -> Result<Caller> {
        if bearer.len() > MAX_TOKEN {
            return Err(refused("The token is too long: send the one that you were given."));
        }
        let header = decode_header(bearer)
            .map_err(|_| refused("The token is malformed: send it as `Bearer TOKEN`."))?;
        let claims = match header.alg {
            Algorithm::HS256 => self.decode(bearer, &self.keys.own, &self.keys.own_rules),
            alg => self.decode_foreign(bearer, alg, header.kid.as_deref()),
        };
        let claims = claims.map_err(|kind| refused(explain(&kind)))?;
        let user = user(&claims.sub)
            .ok_or_else(|| refused("The token's `sub` cannot be a user: get a new token."))?;
        Ok(Caller { user, tier: claims.tier() })
    }

    /// A token of ours that is good for `ttl_seconds`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the user id could not be verified later.
    pub fn issue(&self, user_id: &UserId, tier: Tier, ttl_seconds: u64) -> Result<String> {
        let user_id = user(&user_id.0).ok_or_else(|| {
            Error::invalid("user", "A user id has 1 to 256 bytes and no control characters.")
        })?;
        let now = UnixMillis::now();
        let claims = Claims::new(&user_id, tier, now, now.plus_seconds(ttl_seconds));
        let key = EncodingKey::from_secret(self.keys.secret.bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(Error::internal)
    }

    /// The token of a preview's own address. It follows from the preview's id and our key, so nobody has to keep it.
    #[must_use]
    pub fn preview_token(&self, id: &PreviewId) -> String {
        preview_token::of(&self.keys.secret, id)
    }

    /// Whether this is the preview's token, in a time that tells nothing about it.
    #[must_use]
    pub fn check_preview_token(&self, id: &PreviewId, token: &str) -> bool {
        preview_token::check(&self.keys.secret, id, token)
    }

    fn decode(&self, bearer: &str, key: &DecodingKey, rules: &Validation) -> Result<Claims, ErrorKind> {
        decode::<Claims>(bearer, key, rules)
            .map(|token| token.claims)
            .map_err(jsonwebtoken::errors::Error::into_kind)
    }

    /// The key, never the token, says which algorithm is checked.
    fn decode_foreign(&self, bearer: &str, alg: Algorithm, kid: Option<&str>) -> Result<Claims, ErrorKind> {
        let mut outcome = Err(ErrorKind::InvalidSignature);
        for key in self.keys.public.candidates(alg, kid) {
            let rules = Validation { algorithms: vec![key.algorithm], ..self.keys.public_rules.clone() };
            outcome = self.decode(bearer, &key.key, &rules);
            if !matches!(outcome, Err(ErrorKind::InvalidSignature)) {
                break;
            }
        }
        outcome
    }
}

fn rules(config: &Config, leeway: u64) -> Validation {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_required_spec_claims(&["exp", "sub"]);
    rules.validate_nbf = true;
    rules.leeway = leeway;
    rules.validate_aud = config.jwt_audience.is_some();
    if let Some(audience) = &config.jwt_audience {
        rules.set_audience(&[audience]);
    }
    if let Some(issuer) = &config.jwt_issuer {
        rules.set_issuer(&[issuer]);
    }
    rules
}

/// Our own tokens name no issuer and no audience; one that does must name the configured ones.
fn own_rules(config: &Config) -> Validation {
    rules(config, 0)
}

fn public_rules(config: &Config) -> Validation {
    let mut rules = rules(config, FOREIGN_LEEWAY);
    let configured = [("iss", config.jwt_issuer.is_some()), ("aud", config.jwt_audience.is_some())];
    rules
        .required_spec_claims
        .extend(configured.iter().filter(|(_, is)| *is).map(|(claim, _)| (*claim).to_owned()));
    rules
}

fn refused(message: &str) -> Error {
    Error::Unauthorized { message: message.to_owned() }
}

fn explain(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "The token has expired: get a new one.",
        ErrorKind::ImmatureSignature => "The token is not valid yet: wait, or get a new one.",
        ErrorKind::MissingRequiredClaim(_) => {
            "The token lacks a claim: it needs `sub` and `exp`, and what this server is configured to require."
        }
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => {
            "The token was made by or for somebody else: get one for this server."
        }
        _ => "The token is not one of this server's: get one with `previewd token` or from your application.",
    }
}

#[cfg(test)]
mod tests;
