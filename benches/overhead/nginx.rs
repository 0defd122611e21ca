//! A web server under load.

use crate::live::bursts::timed;
use crate::support::{require_program, wait_for};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The real one, with a file to serve. Dropped, it ends.
pub struct Nginx(Child);

thread_local! {
    /// Where it listens.
    static PORT: Cell<u16> = const { Cell::new(0) };
}

impl Nginx {
    /// Starts it with all that it has in `dir`.
    pub fn start(dir: &Path) -> Nginx {
        let program = require_program("nginx");
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let own = dir.join("nginx");
        std::fs::create_dir_all(own.join("www")).unwrap();
        std::fs::write(own.join("www/index.html"), "x".repeat(1024)).unwrap();
        let at = own.display();
        let config = format!(
            "daemon off; pid {at}/pid; error_log {at}/error.log; worker_processes 1; user root;\n\
             events {{}}\nhttp {{ access_log {at}/access.log; client_body_temp_path {at}/body;\n\
             proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi;\n\
             scgi_temp_path {at}/scgi; server {{ listen 127.0.0.1:{port}; root {at}/www; }} }}\n"
        );
        std::fs::write(own.join("nginx.conf"), config).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(&own).arg("-c").arg(own.join("nginx.conf")).stderr(Stdio::null());
        let nginx = Nginx(command.spawn().unwrap());
        wait_for("nginx", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        PORT.set(port);
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// A connection each, as without a proxy before it.
pub fn request(_: &Path) -> f64 {
    timed(20, 25, || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT.get())).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    })
}
