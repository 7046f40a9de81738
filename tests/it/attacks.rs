//! What strangers' code tries from inside a preview. The server and a second preview must go on as if nothing happened.

mod scene;

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use reqwest::Method;
use serde_json::{Value, json};

use self::scene::{Scene, launched, run, shell};
use crate::harness::{Guest, Server, asgi, descendants, eventually, is_alive};

fn strings(attempts: &[&str]) -> Vec<String> {
    attempts.iter().map(|attempt| (*attempt).to_owned()).collect()
}

/// What comes to nothing, one after the other in one scene.
#[tokio::test]
async fn whatever_is_tried_nothing_gets_out() {
    let mut scene = Scene::with(&[]).await;
    nothing_of_the_host_can_be_read(&scene).await;
    no_process_outside_is_seen_signalled_or_traced(&scene).await;
    no_network_is_reached(&scene).await;
    dangerous_system_calls_are_refused(&scene).await;
    the_shared_environment_cannot_be_poisoned(&scene).await;
    // The preview would serve nobody afterwards.
    no_descriptor_that_it_was_handed_leads_out(&scene).await;
    scene.attack_again().await;
    what_hides_from_its_parent_ends_with_the_preview(&scene).await;
    scene.attack_again().await;
    a_preview_that_kills_its_init_or_itself_ends_alone(&scene).await;
}

async fn nothing_of_the_host_can_be_read(scene: &Scene) {
    let data_dir = scene.server.data_dir();
    let mut attempts = strings(&[
        "open('/etc/shadow').read()",
        "open('/proc/1/environ').read()",
        "open('/proc/1/mem', 'rb').read(1)",
        "os.listdir('/proc/1/root')",
        "os.stat('/root/.profile')",
        "os.listdir('/home')",
        "os.listdir('/sys')",
    ]);
    for name in ["jwt.secret", "previewd.db", "keeper.sock", "keeper.log", "run"] {
        attempts.push(format!("os.stat({:?})", data_dir.join(name)));
    }
    attempts.push(format!(
        "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect({:?})",
        data_dir.join("keeper.sock")
    ));
    for pid in [scene.server.serve_pid(), scene.server.keeper_pid()] {
        attempts.push(format!("open('/proc/{pid}/environ').read()"));
    }
    assert_eq!(scene.worked(&attempts).await, Vec::<String>::new());
    // What is in `/usr` is the host's, and much.
    let look = format!(
        "
result = []
for place, directories, files in os.walk('/'):
    directories[:] = [name for name in directories if place != '/' or name != 'usr']
    result += [place + '/' + name for name in (*directories, *files) if {:?} in name]
",
        scene.bystander.id
    );
    assert_eq!(scene.run(&look).await, json!([]), "other previews' files");
    let environment = scene.run("result = dict(os.environ)").await;
    let secrets = environment.as_object().unwrap().keys().filter(|name| name.starts_with("PREVIEW_"));
    assert_eq!(secrets.collect::<Vec<_>>(), Vec::<&String>::new());
    scene.nobody_else_is_hurt().await;
}

async fn no_process_outside_is_seen_signalled_or_traced(scene: &Scene) {
    let mut attempts = Vec::new();
    for pid in [scene.server.serve_pid(), scene.server.keeper_pid(), 1] {
        attempts.push(format!("os.kill({pid}, signal.SIGKILL)"));
        attempts.push(format!("os.pidfd_open({pid}) and None if {pid} != 1 else os.listdir('/proc/1/fd')"));
    }
    // The lowest numbers are the init and the preview itself, whatever they are outside.
    let outside = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let outside: Vec<u32> = outside.filter_map(|name| name.parse().ok()).filter(|pid| *pid > 100).collect();
    attempts
        .push(format!("[pid for pid in {outside:?} if tried(lambda: os.kill(pid, 0))[0] == 'WORKED'][0]"));
    attempts.push("1 / (ctypes.CDLL(None).ptrace(16, 1, 0, 0) + 1)".to_owned());
    assert_eq!(scene.worked(&attempts).await, Vec::<String>::new());
    let seen =
        scene.run("result = [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]").await;
    assert_eq!(seen, json!([]));
    scene.nobody_else_is_hurt().await;
}

async fn no_network_is_reached(scene: &Scene) {
    let api = scene.server.address().port();
    let other = scene.bystander.port();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    let name = format!("previewd-attack-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let mut attempts = strings(&[
        "socket.create_connection(('169.254.169.254', 80), 2)",
        "socket.create_connection(('192.0.2.1', 80), 2)",
        "socket.getaddrinfo('example.com', 80)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(40, socket.SOCK_STREAM)",
    ]);
    for port in [api, other] {
        attempts.push(format!("socket.create_connection(('127.0.0.1', {port}), 2)"));
    }
    attempts.push(format!("socket.socket(socket.AF_UNIX).connect('\\0{name}')"));
    assert_eq!(scene.worked(&attempts).await, Vec::<String>::new());
    let datagram = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))";
    scene.run(&format!("result = tried(lambda: {})", datagram.replace("PORT", &udp_port.to_string()))).await;
    assert!(udp.recv(&mut [0; 8]).is_err());
    scene.nobody_else_is_hurt().await;
}

async fn no_descriptor_that_it_was_handed_leads_out(scene: &Scene) {
    let port = scene.server.address().port();
    // A TCP socket of the host would connect from in here once it was shut down.
    let trick = format!(
        "
def turn():
    out = []
    for fd in range(3, 64):
        tried(lambda: socket.socket(fileno=os.dup(fd)).shutdown(2))
        for address in (('127.0.0.1', {port}), ('::1', {port})):
            out += tried(lambda: socket.socket(fileno=os.dup(fd)).connect(address))
    print('turned', out.count('WORKED'), flush=True)
    os._exit(0)
threading.Timer(0.1, turn).start()
result = 'begun'
"
    );
    assert_eq!(scene.run(&trick).await, "begun");
    scene.attacker.line("turned 0").await;
    scene.nobody_else_is_hurt().await;
}

async fn dangerous_system_calls_are_refused(scene: &Scene) {
    let calls =
        [165, 166, 155, 161, 272, 308, 101, 310, 425, 250, 248, 321, 298, 323, 304, 430, 428, 435, 9999];
    let code = format!(
        "libc = ctypes.CDLL(None, use_errno=True)\n\
         result = [[n, libc.syscall(n, 0x10000000, 0, 0, 0, 0), errno.errorcode[ctypes.get_errno()]] for n in {calls:?}]"
    );
    for outcome in scene.run(&code).await.as_array().unwrap() {
        assert!(outcome[1] == -1 && (outcome[2] == "EPERM" || outcome[2] == "ENOSYS"), "{outcome}");
    }
    let rights = scene
        .run("result = [l for l in open('/proc/self/status') if l[:3] == 'Cap' or l[:6] == 'NoNewP']")
        .await;
    for line in rights.as_array().unwrap() {
        let line = line.as_str().unwrap();
        assert!(line.contains("0000000000000000") || line == "NoNewPrivs:\t1\n", "{line}");
    }
}

async fn the_shared_environment_cannot_be_poisoned(scene: &Scene) {
    let package = "os.path.dirname(__import__('h11').__file__)";
    let attempts = [
        format!("open({package} + '/__init__.py', 'a')"),
        format!("open({package} + '/../sitecustomize.py', 'w')"),
        format!("open({package} + '/../evil.pth', 'w')"),
        format!("os.chmod({package}, 0o777)"),
        format!("os.rename({package}, {package} + '-old')"),
        "open(sys.executable, 'ab')".to_owned(),
        "open(os.__file__, 'a')".to_owned(),
        "ctypes.CDLL(None).mount(b'none', b'/box', b'tmpfs', 0, None) and 1 / 0".to_owned(),
    ];
    assert_eq!(scene.worked(&attempts).await, Vec::<String>::new());
    let (_, next) = launched(&scene.server.user("sam"), &asgi("")).await;
    assert_eq!(next.get("/x").await.text(), "you asked for /x");
}

#[tokio::test]
async fn what_python_runs_by_itself_is_not_run() {
    let server = Guest::arrive().await;
    let mut files = shell();
    for name in ["sitecustomize.py", "usercustomize.py", "evil.py", "app/sitecustomize.py"] {
        files[name] = json!("print('EVIL ran', flush=True)\n");
    }
    files["evil.pth"] = json!("import evil\n");
    files["app/evil.pth"] = json!("import evil\n");
    let generation = server.user().upload(&files).await;
    let env = json!({ "PYTHONSTARTUP": "/box/app/evil.py", "PYTHONPATH": "/box/app", "LD_PRELOAD": "/box/app/evil.so",
        "LD_LIBRARY_PATH": "/box/app", "PYTHONHOME": "/nowhere", "PYTHONINSPECT": "1" });
    let preview = generation.launch_with(&json!({ "env": env })).await;
    let seen = run(&preview, "result = os.environ['LD_PRELOAD']").await;
    assert_eq!(seen, "/box/app/evil.so", "the application itself may look at them");
    let log = generation.log().await;
    let told = |text: &str| log.iter().any(|line| line["message"].as_str().unwrap().contains(text));
    assert!(told("listening for orders") && !told("EVIL") && !told("LD_PRELOAD"), "{log:?}");
}

#[tokio::test]
async fn a_fork_bomb_hits_its_limit() {
    let scene = Scene::with(&[("TASK_LIMIT", "40")]).await;
    let code = "
count = 0
try:
    while count < 1000:
        if os.fork() == 0:
            time.sleep(600)
        count += 1
except OSError as error:
    result = [errno.errorcode[error.errno], count]
";
    let result = scene.run(code).await;
    assert_eq!(result[0], "EAGAIN");
    assert!(result[1].as_u64().unwrap() < 40, "{result}");
    if scene.has("cgroup_pids") {
        scene.attacker.line_with("At the limit of 40 processes and threads").await;
    }
    scene.nobody_else_is_hurt().await;
    scene.attacker.stop().await.expect(200);
    scene.nobody_else_is_hurt().await;
}

#[tokio::test]
async fn too_much_memory_ends_the_preview_and_says_so() {
    let scene = Scene::with(&[("MEMORY_LIMIT_MB", "160")]).await;
    let hog = "result = len([bytearray(b'x' * (8 << 20)) for _ in range(200)])";
    let answer = scene.attack.call(Method::POST, "/").body(hog).send().await;
    if !scene.counts_memory() {
        // Nobody kills it: it is refused what is too much, and goes on.
        assert_eq!(answer.unwrap().status(), 500);
        assert_eq!(scene.run("result = 1").await, 1);
        return scene.nobody_else_is_hurt().await;
    }
    let status = scene.attacker.until_status("failed").await;
    assert_eq!(status["failure"]["reason"], "out_of_memory", "{status}");
    code_that_takes_too_much_at_once(&scene).await;
    assert!(status["errorMessage"].as_str().unwrap().contains("160 MiB"), "{status}");
    scene.nobody_else_is_hurt().await;
}

/// At a launch, and in place of code that serves, which goes on.
async fn code_that_takes_too_much_at_once(scene: &Scene) {
    let hog = asgi("hoard = [bytearray(b'x' * (8 << 20)) for _ in range(200)]");
    let refused = scene.user.upload(&hog).await.try_launch(&json!({})).await.error(500, "launch_failed");
    assert_eq!(refused["details"]["reason"], "out_of_memory", "{refused}");
    let (app, preview) = launched(&scene.user, &asgi("")).await;
    let patched = app.user.patch(&app.path("/files"), &json!({ "files": hog })).await.expect(200);
    assert_eq!(
        (&patched["reloaded"], &patched["details"]["reason"]),
        (&json!(false), &json!("out_of_memory"))
    );
    assert_eq!(preview.get("/x").await.text(), "you asked for /x");
    app.stop().await.expect(200);
}

#[tokio::test]
async fn files_and_descriptors_are_bounded() {
    let scene = Scene::with(&[("DISK_LIMIT_MB", "8"), ("OPEN_FILES_LIMIT", "128")]).await;
    let fill = "
result = []
for directory in ('/box/app', '/tmp', '/dev/shm'):
    try:
        for number in range(64):
            open(f'{directory}/{number}', 'wb').write(b'x' * (1 << 20))
    except OSError as error:
        result.append(errno.errorcode[error.errno])
";
    assert_eq!(scene.run(fill).await, json!(["ENOSPC", "ENOSPC", "ENOSPC"]));
    scene.attacker.line_with("At the limit of 8 MiB of files").await;
    let open = "
files = []
try:
    while len(files) < 4096: files.append(open('/dev/null'))
except OSError as error:
    files.clear()
    print(error, file=sys.stderr, flush=True)
    result = errno.errorcode[error.errno]
";
    assert_eq!(scene.run(open).await, "EMFILE");
    scene.attacker.line_with("At the limit of 128 open files and connections").await;
    assert_eq!(scene.run("result = 1").await, 1, "it goes on itself, too");
    scene.nobody_else_is_hurt().await;
}

async fn what_hides_from_its_parent_ends_with_the_preview(scene: &Scene) {
    let daemon = "
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        os.write(writer, b'!')
        time.sleep(600)
    os._exit(0)
result = os.read(reader, 1).decode()
";
    assert_eq!(scene.run(daemon).await, "!");
    let started = descendants(scene.server.keeper_pid());
    let before = started.iter().filter(|process| is_alive(**process)).count();
    scene.attacker.stop().await.expect(200);
    let after = started.iter().filter(|process| is_alive(**process)).count();
    // Its init, itself and the daemon, which was handed to the init.
    assert!(before - after >= 3, "{before} before, {after} after");
    scene.nobody_else_is_hurt().await;
}

#[tokio::test]
async fn without_isolation_previews_run_as_they_did() {
    let scene = Scene::with(&[("ISOLATION", "off")]).await;
    assert_eq!(scene.run("result = os.path.exists('/sys')").await, true);
    scene.nobody_else_is_hurt().await;
}

#[tokio::test]
async fn with_all_layers_insisted_on_they_run_where_the_host_has_them() {
    let server = Server::with(&[("ISOLATION", "strict")]).await;
    let doctor = server.command(&["doctor", "--json"]).output().unwrap();
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let complete = found["isolation"].as_object().unwrap().values().all(|layer| layer["available"] == true);
    let answer = server.user("ana").upload(&asgi("")).await.try_launch(&json!({})).await;
    if complete {
        answer.expect(200);
    } else {
        answer.error(500, "launch_failed");
    }
}

async fn a_preview_that_kills_its_init_or_itself_ends_alone(scene: &Scene) {
    let _cut = scene
        .attack
        .call(Method::POST, "/")
        .body("tried(lambda: os.kill(-1, 9)); os.kill(os.getpid(), 9)")
        .send()
        .await;
    let status = scene.attacker.until_status("failed").await;
    assert_eq!(status["failure"]["signal"], "SIGKILL", "{status}");
    scene.nobody_else_is_hurt().await;
    let gone = async || scene.attacker.launch().await.get("/").await.status.eq(&200).then_some(());
    eventually("the next launch", gone).await;
}

#[tokio::test]
async fn what_the_operator_allows_is_given_and_nothing_else_with_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let scene = Scene::with(&[("EGRESS", "on"), ("MEMORY_MERGE", "on")]).await;
    assert_eq!(
        scene.run(&format!("socket.create_connection(('127.0.0.1', {port}), 9); result = 1")).await,
        1
    );
    let merges = if std::path::Path::new("/sys/kernel/mm/ksm/general_profit").exists() { 1 } else { -1 };
    assert_eq!(scene.run("result = ctypes.CDLL(None).prctl(68, 0, 0, 0, 0)").await, merges);
    let data_dir = scene.server.data_dir();
    let attempts = [
        format!("os.stat({:?})", data_dir.join("jwt.secret")),
        format!("os.kill({}, 0)", scene.server.serve_pid()),
        "socket.create_server(('127.0.0.1', 0))".to_owned(),
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)".to_owned(),
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)".to_owned(),
    ];
    assert_eq!(scene.worked(&attempts).await, Vec::<String>::new());
    scene.nobody_else_is_hurt().await;
}

#[tokio::test]
async fn all_this_as_an_ordinary_user() {
    crate::harness::again_as_an_ordinary_user("attacks::").await;
}
