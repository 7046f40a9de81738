//! What packages are called where they are installed from, and what they bring along.

use std::collections::BTreeSet;

/// Modules whose package has another name; where there are several, any will do.
const NAMES: [(&str, &[&str]); 58] = [
    ("Crypto", &["pycryptodome"]),
    ("MySQLdb", &["mysqlclient"]),
    ("OpenSSL", &["pyopenssl"]),
    ("PIL", &["pillow"]),
    ("argon2", &["argon2-cffi"]),
    ("attr", &["attrs"]),
    ("bs4", &["beautifulsoup4"]),
    ("bson", &["pymongo", "bson"]),
    ("community", &["python-louvain"]),
    ("cv2", &["opencv-python", "opencv-python-headless"]),
    ("dateutil", &["python-dateutil"]),
    ("decouple", &["python-decouple"]),
    ("docx", &["python-docx"]),
    ("dotenv", &["python-dotenv"]),
    ("engineio", &["python-engineio"]),
    ("fitz", &["pymupdf"]),
    ("github", &["pygithub"]),
    ("gridfs", &["pymongo"]),
    ("jose", &["python-jose"]),
    ("jwt", &["pyjwt"]),
    ("kafka", &["kafka-python", "kafka-python-ng"]),
    ("ldap", &["python-ldap"]),
    ("magic", &["python-magic"]),
    ("markdown", &["markdown"]),
    ("memcache", &["python-memcached"]),
    ("multipart", &["python-multipart", "multipart"]),
    ("mysql", &["mysql-connector-python"]),
    ("nacl", &["pynacl"]),
    ("pkg_resources", &["setuptools"]),
    ("pptx", &["python-pptx"]),
    ("psycopg2", &["psycopg2-binary", "psycopg2"]),
    ("psycopg", &["psycopg"]),
    ("pydantic_core", &["pydantic-core"]),
    ("pythonjsonlogger", &["python-json-logger"]),
    ("rest_framework", &["djangorestframework"]),
    ("serial", &["pyserial"]),
    ("sklearn", &["scikit-learn"]),
    ("slugify", &["python-slugify", "unicode-slugify"]),
    ("socketio", &["python-socketio"]),
    ("strawberry", &["strawberry-graphql"]),
    ("telegram", &["python-telegram-bot"]),
    ("tortoise", &["tortoise-orm"]),
    ("usb", &["pyusb"]),
    ("yaml", &["pyyaml"]),
    ("zmq", &["pyzmq"]),
    ("apscheduler", &["apscheduler"]),
    ("pwdlib", &["pwdlib"]),
    ("ulid", &["python-ulid", "ulid-py"]),
    ("dns", &["dnspython"]),
    ("nanoid", &["nanoid"]),
    ("flask_cors", &["flask-cors"]),
    ("skimage", &["scikit-image"]),
    ("prometheus_client", &["prometheus-client"]),
    ("grpc", &["grpcio"]),
    ("win32api", &["pywin32"]),
    ("tabulate", &["tabulate"]),
    ("Levenshtein", &["levenshtein", "python-levenshtein"]),
    ("snappy", &["python-snappy"]),
];

/// Packages with those that they always bring; `name[extra]` with what the extra adds. One that is not here may bring
/// anything.
const BRINGS: [(&str, &[&str]); 77] = [
    ("aiofiles", &[]),
    ("aiohttp", &["attrs", "yarl", "multidict", "frozenlist", "aiosignal"]),
    ("aiomysql", &["pymysql"]),
    ("aioredis", &["async-timeout", "typing-extensions"]),
    ("aiosqlite", &["typing-extensions"]),
    ("alembic", &["sqlalchemy", "mako", "markupsafe", "typing-extensions"]),
    ("annotated-doc", &[]),
    ("annotated-types", &[]),
    ("anyio", &["idna", "typing-extensions"]),
    ("argon2-cffi", &["cffi"]),
    ("asyncpg", &[]),
    ("bcrypt", &[]),
    ("beautifulsoup4", &["soupsieve", "typing-extensions"]),
    ("certifi", &[]),
    ("click", &[]),
    ("cryptography", &["cffi"]),
    ("databases", &["sqlalchemy"]),
    ("email-validator", &["dnspython", "idna"]),
    ("fastapi", &["starlette", "pydantic", "typing-extensions", "annotated-doc", "typing-inspection"]),
    ("fastapi[all]", &["fastapi[standard]", "itsdangerous", "pyyaml", "ujson", "orjson"]),
    (
        "fastapi[standard]",
        &[
            "uvicorn[standard]",
            "httpx",
            "jinja2",
            "python-multipart",
            "email-validator",
            "fastapi-cli",
            "pydantic-settings",
            "pydantic-extra-types",
        ],
    ),
    ("fastapi-cli", &["typer", "rich-toolkit"]),
    ("greenlet", &[]),
    ("gunicorn", &["packaging"]),
    ("h11", &[]),
    ("httpcore", &["h11", "certifi"]),
    ("httptools", &[]),
    ("httpx", &["httpcore", "anyio", "certifi", "idna"]),
    ("idna", &[]),
    ("itsdangerous", &[]),
    ("jinja2", &["markupsafe"]),
    ("loguru", &[]),
    ("mako", &["markupsafe"]),
    ("markupsafe", &[]),
    ("motor", &["pymongo"]),
    ("orjson", &[]),
    ("packaging", &[]),
    ("passlib", &[]),
    ("passlib[argon2]", &["argon2-cffi"]),
    ("passlib[bcrypt]", &["bcrypt"]),
    ("pillow", &[]),
    ("pluggy", &[]),
    ("psutil", &[]),
    ("psycopg", &["typing-extensions"]),
    ("psycopg2", &[]),
    ("psycopg2-binary", &[]),
    ("pwdlib", &[]),
    ("pydantic", &["pydantic-core", "typing-extensions", "annotated-types", "typing-inspection"]),
    ("pydantic[email]", &["email-validator"]),
    ("pydantic-core", &["typing-extensions"]),
    ("pydantic-extra-types", &["pydantic", "typing-extensions"]),
    ("pydantic-settings", &["pydantic", "python-dotenv", "typing-inspection"]),
    ("pyjwt", &[]),
    ("pymongo", &["dnspython"]),
    ("pymysql", &[]),
    ("pytest", &["pluggy", "packaging", "iniconfig"]),
    ("pytest-asyncio", &["pytest"]),
    ("python-dateutil", &["six"]),
    ("python-dotenv", &[]),
    ("python-jose", &["ecdsa", "rsa", "pyasn1"]),
    ("python-jose[cryptography]", &["cryptography"]),
    ("python-multipart", &[]),
    ("pyyaml", &[]),
    ("redis", &["async-timeout"]),
    ("requests", &["urllib3", "certifi", "idna", "charset-normalizer"]),
    ("slowapi", &["limits"]),
    ("sqlalchemy", &["typing-extensions"]),
    ("sqlalchemy[asyncio]", &["greenlet"]),
    ("sqlmodel", &["sqlalchemy", "pydantic"]),
    ("starlette", &["anyio", "typing-extensions"]),
    ("structlog", &[]),
    ("typing-extensions", &[]),
    ("typing-inspection", &["typing-extensions"]),
    ("uvicorn", &["click", "h11"]),
    ("uvicorn[standard]", &["httptools", "uvloop", "watchfiles", "websockets", "python-dotenv", "pyyaml"]),
    ("uvloop", &[]),
    ("websockets", &[]),
];

/// The packages that a project gets.
pub(super) struct Installed {
    names: BTreeSet<String>,
    /// One of them may bring more than is known.
    open: bool,
}

impl Installed {
    /// From requirements as they are written, one each: `fastapi[standard]>=0.100`.
    pub(super) fn new(requirements: &[String]) -> Self {
        let mut installed = Self { names: BTreeSet::new(), open: false };
        for requirement in requirements {
            installed.add(requirement);
        }
        installed
    }

    fn add(&mut self, requirement: &str) {
        let (name, extras) = parts(requirement);
        for full in extras.iter().map(|extra| format!("{name}[{extra}]")) {
            if self.names.insert(full.clone()) {
                let brought = BRINGS.iter().find(|(own, _)| *own == full);
                brought.into_iter().flat_map(|(_, more)| more.iter()).for_each(|one| self.add(one));
            }
        }
        if self.names.insert(name.clone()) {
            match BRINGS.iter().find(|(own, _)| *own == name) {
                Some((_, more)) => more.iter().for_each(|one| self.add(one)),
                None => self.open = true,
            }
        }
    }

    /// Whether the package is there for certain.
    pub(super) fn has(&self, package: &str) -> bool {
        self.names.contains(package)
    }

    /// Whether packages that are not known may bring others.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The package that a module would come from, if it is not there.
    pub(super) fn missing(&self, module: &str) -> Option<String> {
        let usual = [normal(module)];
        let named = NAMES
            .iter()
            .find(|(own, _)| *own == module)
            .map(|(_, names)| names.iter().map(|n| (*n).to_owned()));
        let candidates: Vec<String> = named.map_or_else(|| usual.to_vec(), Iterator::collect);
        let namespace = format!("{}-", normal(module));
        let there = candidates.iter().any(|name| self.has(name))
            || self.has(&usual[0])
            || self.names.iter().any(|name| name.starts_with(&namespace));
        if there { None } else { candidates.into_iter().next() }
    }
}

/// Name and extras of a requirement, normalised.
pub(super) fn parts(requirement: &str) -> (String, Vec<String>) {
    let end =
        requirement.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).unwrap_or(requirement.len());
    let rest = requirement[end..].trim_start();
    let extras =
        rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or("", |(extras, _)| extras);
    (
        normal(&requirement[..end]),
        extras.split(',').map(|one| normal(one.trim())).filter(|one| !one.is_empty()).collect(),
    )
}

fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(requirements: &[&str], module: &str) -> Option<String> {
        let requirements: Vec<String> = requirements.iter().map(|one| (*one).to_owned()).collect();
        Installed::new(&requirements).missing(module)
    }

    #[test]
    fn modules_are_found_in_packages_of_other_names() {
        assert_eq!(missing(&["python-jose[cryptography]==3.3"], "jose"), None);
        assert_eq!(missing(&["psycopg2"], "psycopg2"), None);
        assert_eq!(missing(&["Pydantic_Settings>=2"], "pydantic_settings"), None);
        assert_eq!(missing(&["fastapi"], "jose").as_deref(), Some("python-jose"));
        assert_eq!(missing(&["opentelemetry-sdk"], "opentelemetry"), None);
    }

    #[test]
    fn what_packages_bring_counts() {
        assert_eq!(missing(&["fastapi"], "starlette"), None);
        assert_eq!(missing(&["fastapi"], "multipart").as_deref(), Some("python-multipart"));
        assert_eq!(missing(&["fastapi[standard]"], "multipart"), None);
        assert_eq!(missing(&["fastapi[standard]"], "websockets"), None);
    }
}
