//! What strangers' code inside tries, run as root and as an ordinary user.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use common::{Range, Scratch};

/// Prints one line for each attempt: its name, then what came of it.
const ATTEMPT: &str = "
import os, socket, errno
def attempt(name, what):
    try:
        print(name, 'WORKED', what())
    except OSError as error:
        print(name, errno.errorcode.get(error.errno, error.errno))
";

fn attempts(range: &Range, body: &str) -> String {
    let outcome = range.run(&format!("{ATTEMPT}{body}"));
    assert_eq!(outcome.stderr, "", "after {}", outcome.stdout);
    assert!(outcome.status.success());
    assert!(!outcome.stdout.is_empty());
    outcome.stdout
}

#[test]
fn runs_a_program_as_nobody_in_particular() {
    let outcome = Range::new()
        .run("import os; print(os.getcwd(), os.getuid(), os.getgid(), os.getgroups(), dict(os.environ))");
    assert_eq!(outcome.stderr, "");
    let groups = if sandbox::is_privileged() { "[]" } else { "" };
    assert!(outcome.stdout.starts_with(&format!("/box/app 1000 1000 {groups}")), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("{'PATH': '/usr/bin:/bin'"), "{}", outcome.stdout);
    assert!(outcome.status.success());
}

#[test]
fn has_no_rights_and_cannot_gain_any() {
    let outcome = Range::new().run("print(open('/proc/self/status').read())");
    let field = |name: &str| {
        let line = outcome.stdout.lines().find(|line| line.starts_with(name)).expect(name);
        line.split_whitespace().nth(1).expect("a value").to_owned()
    };
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(name), "0000000000000000", "{name}");
    }
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("Seccomp"), "2");
}

#[test]
fn sees_no_files_of_the_host() {
    let scratch = Scratch::new("secret");
    let secret = scratch.0.join("secret");
    std::fs::write(&secret, "a secret").unwrap();
    let seen = attempts(
        &Range::new(),
        &format!(
            "
attempt('secret', lambda: open({secret:?}).read())
attempt('shadow', lambda: open('/etc/shadow').read())
attempt('init', lambda: open('/proc/1/environ').read())
attempt('memory', lambda: open('/proc/1/mem', 'rb').read(1))
attempt('root', lambda: os.listdir('/proc/1/root'))
attempt('home', lambda: os.listdir('/root'))
attempt('dotdot', lambda: open('../../../../../../..' + {secret:?}).read())
print('there', [name for name in ('root', 'usr', 'work', 'var/lib', 'sys', 'run') if os.path.exists('/' + name)])
"
        ),
    );
    assert!(!seen.contains("WORKED"), "{seen}");
    assert!(seen.ends_with("there ['usr']\n"), "{seen}");
}

#[test]
fn writes_only_at_home() {
    let seen = attempts(
        &Range::new(),
        "
for path in ['/x', '/usr/x', '/etc/x', '/dev/x', '/proc/sys/kernel/hostname', '/etc/passwd', '/usr/bin/env']:
    attempt(path, lambda: open(path, 'w'))
for path in ['/box/app/x', '/tmp/x', '/var/tmp/x', '/dev/shm/x', '/dev/null']:
    open(path, 'w').write('x')
attempt('node', lambda: os.mknod('/tmp/disk', 0o60600, os.makedev(254, 0)))
",
    );
    assert!(!seen.contains("WORKED"), "{seen}");
}

#[test]
fn sees_and_reaches_no_other_process() {
    let pid = std::process::id();
    let seen = attempts(
        &Range::new(),
        &format!(
            "
attempt('host', lambda: os.kill({pid}, 9))
attempt('init', lambda: os.kill(1, 9))
attempt('trace', lambda: os.listdir('/proc/1/fd'))
listed = [int(p) for p in os.listdir('/proc') if p.isdigit()]
print('listed', sorted(set(listed) - {{1, os.getpid()}}))
"
        ),
    );
    assert_eq!(seen, "host ESRCH\ninit EPERM\ntrace ENOENT\nlisted []\n");
}

#[test]
fn reaches_no_network() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let name = format!("sandbox-test-{}", std::process::id());
    let _unix = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let (tcp_port, udp_port) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
    let seen = attempts(
        &Range::new(),
        &format!(
            "
def tcp(host, port): socket.create_connection((host, port), timeout=2)
attempt('loopback', lambda: tcp('127.0.0.1', {tcp_port}))
attempt('metadata', lambda: tcp('169.254.169.254', 80))
attempt('outside', lambda: tcp('192.0.2.1', 80))
attempt('abstract', lambda: socket.socket(socket.AF_UNIX).connect('\\0{name}'))
attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
attempt('interfaces', lambda: [i for i in socket.if_nameindex() if i[1] != 'lo'][0] if len(socket.if_nameindex()) > 1 else tcp('127.0.0.1', 1))
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp_port}))
except OSError: pass
"
        ),
    );
    assert!(!seen.contains("WORKED"), "{seen}");
    assert!(udp.recv(&mut [0; 8]).is_err());
}

#[test]
fn has_a_loopback_of_its_own() {
    let outcome = Range::new().run(
        "
import socket
listener = socket.create_server(('127.0.0.1', 8000))
client = socket.create_connection(('127.0.0.1', 8000))
listener.accept()[0].sendall(b'hello')
print(client.recv(8))
",
    );
    assert_eq!(outcome.stdout, "b'hello'\n", "{}", outcome.stderr);
}

#[test]
fn gets_the_descriptors_that_it_is_given_and_no_other() {
    let range = Range::new();
    let mut sandbox = range.sandbox();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let given = writer.as_fd().try_clone_to_owned().unwrap();
    drop(writer);
    let script = "
import os
os.write(7, b'through the pipe')
def is_open(fd):
    try: return bool(os.fstat(fd))
    except OSError: return False
print([fd for fd in range(4096) if is_open(fd)])
";
    let outcome = range.start(&mut sandbox, script, vec![(given, 7)]).finish();
    assert_eq!(outcome.stdout, "[0, 1, 2, 7]\n", "{}", outcome.stderr);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through the pipe");
    sandbox.destroy().unwrap();
}

#[test]
fn is_refused_dangerous_system_calls() {
    let seen = attempts(
        &Range::new(),
        "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), '')
calls = {'mount': 165, 'umount2': 166, 'pivot_root': 155, 'chroot': 161, 'unshare': 272, 'setns': 308, 'ptrace': 101,
    'process_vm_readv': 310, 'io_uring_setup': 425, 'keyctl': 250, 'add_key': 248, 'bpf': 321, 'perf_event_open': 298,
    'userfaultfd': 323, 'open_by_handle_at': 304, 'fsopen': 430, 'open_tree': 428, 'clone3': 435, 'personality': 135,
    'unknown': 9999}
for name, number in calls.items():
    attempt(name, lambda: call(number, 0x10000000, 0, 0, 0, 0))
for flag in (0x10000000, 0x00020000, 0x40000000):
    attempt('clone', lambda: call(56, flag | 17, 0, 0, 0, 0))
attempt('TIOCSTI', lambda: call(16, 0, 0x5412, b'x'))
attempt('TIOCSTI', lambda: call(16, 0, (1 << 32) | 0x5412, b'x'))
",
    );
    for line in seen.lines() {
        assert!(line.ends_with(" EPERM") || line.ends_with(" ENOSYS"), "{line}");
    }
    assert_eq!(seen.lines().count(), 25);
}

#[test]
fn dies_of_what_only_an_attack_calls() {
    let outcome =
        Range::new().run("import ctypes; ctypes.CDLL(None).syscall(246, 0, 0, 0, 0); print('alive')");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&outcome.status), Some(libc::SIGSYS));
    assert_eq!(outcome.stdout, "");
}

#[test]
fn sees_nothing_of_another_sandbox() {
    let range = Range::new();
    let mut first = range.workshop.prepare("first", range.policy(), None).unwrap();
    let mut second = range.workshop.prepare("second", range.policy(), None).unwrap();
    let busy = "
import socket, sys, time
listener = socket.create_server(('127.0.0.1', 8000))
abstract = socket.socket(socket.AF_UNIX); abstract.bind('\\0name'); abstract.listen()
open('/tmp/note', 'w').write('mine'); open('/box/app/note', 'w').write('mine')
print('ready'); time.sleep(60)
";
    let mut running = range.start(&mut first, busy, Vec::new());
    assert_eq!(running.line(), "ready");
    let look = format!(
        "{ATTEMPT}
attempt('tcp', lambda: socket.create_connection(('127.0.0.1', 8000)))
attempt('abstract', lambda: socket.socket(socket.AF_UNIX).connect('\\0name'))
attempt('tmp', lambda: open('/tmp/note').read())
attempt('app', lambda: open('/box/app/note').read())
print([p for p in os.listdir('/proc') if p.isdigit()])
"
    );
    let outcome = range.start(&mut second, &look, Vec::new()).finish();
    assert_eq!(outcome.stderr, "");
    assert!(!outcome.stdout.contains("WORKED"), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("['2']\n"), "{}", outcome.stdout);
    first.destroy().unwrap();
    second.destroy().unwrap();
}

#[test]
fn all_this_as_an_ordinary_user() {
    common::again_as_nobody();
}
