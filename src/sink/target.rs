//! Where the messages go: `unix:PATH`, `udp:HOST:PORT`, `tcp:HOST:PORT` or `stdout`.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The socket of the local syslog daemon (syslog(3)).
const LOCAL_SOCKET: &str = "/dev/log";

/// `sun_path` holds 108 bytes with the closing NUL (linux `include/uapi/linux/un.h`).
const UNIX_PATH_BYTES: usize = 107;

/// Host names that need no DNS (hosts(5)).
const HOSTS_FILE: &str = "/etc/hosts";

/// A receiver of syslog messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A daemon on this host, RFC 3164 without a host name.
    Unix(PathBuf),
    /// A remote receiver, RFC 5424, one message a datagram (RFC 5426).
    Udp(SocketAddr),
    /// A remote receiver, RFC 5424 with octet counting (RFC 6587 section 3.4.1).
    Tcp(SocketAddr),
    /// One payload a line, without a header.
    Stdout,
}

impl Default for Target {
    fn default() -> Target {
        Target::Unix(PathBuf::from(LOCAL_SOCKET))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
            Target::Udp(address) => write!(f, "udp:{address}"),
            Target::Tcp(address) => write!(f, "tcp:{address}"),
            Target::Stdout => f.write_str("stdout"),
        }
    }
}

/// Why a text is not a [`Target`].
#[derive(Debug)]
pub enum TargetError {
    /// Nothing before a colon that is a transport.
    Transport(String),
    /// A unix path that is empty, relative or has a NUL.
    Path(String),
    /// A unix path that no socket address has room for.
    PathTooLong(String),
    /// No `HOST:PORT`, or a port that is not a number from 1 to 65535.
    Address(String),
    /// An IPv6 address without its brackets.
    Brackets(String),
    /// A host that is neither an IP address nor a name of the hosts file.
    UnknownHost(String),
    /// The hosts file could not be read.
    HostsFile(String, std::io::Error),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Transport(text) => write!(
                f,
                "{text:?} is not a syslog target: write unix:PATH, udp:HOST:PORT, \
                 tcp:HOST:PORT or stdout"
            ),
            TargetError::Path(path) => write!(
                f,
                "{path:?} is not an absolute path of a socket: write unix:{LOCAL_SOCKET}, say"
            ),
            TargetError::PathTooLong(path) => write!(
                f,
                "{path:?} has {} bytes, a socket's path at most {UNIX_PATH_BYTES}: use a \
                 shorter path or a symbolic link",
                path.len()
            ),
            TargetError::Address(text) => write!(
                f,
                "{text:?} is not HOST:PORT: write 192.0.2.1:514 or [2001:db8::1]:514, say"
            ),
            TargetError::Brackets(text) => {
                write!(f, "{text:?} is ambiguous: write an IPv6 address as [2001:db8::1]:514")
            }
            TargetError::UnknownHost(host) => write!(
                f,
                "the host {host:?} is neither an IP address nor a name in {HOSTS_FILE}; mote \
                 does not ask DNS: write its IP address, or add it to {HOSTS_FILE}"
            ),
            TargetError::HostsFile(host, error) => write!(
                f,
                "the host {host:?} is no IP address and {HOSTS_FILE} cannot be read ({error}): \
                 write its IP address"
            ),
        }
    }
}

impl core::error::Error for TargetError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            TargetError::HostsFile(_, error) => Some(error),
            _ => None,
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        if text == "stdout" {
            return Ok(Target::Stdout);
        }
        match text.split_once(':') {
            Some(("unix", path)) => unix(path),
            Some(("udp", address)) => Ok(Target::Udp(resolve(address)?)),
            Some(("tcp", address)) => Ok(Target::Tcp(resolve(address)?)),
            _ => Err(TargetError::Transport(text.to_owned())),
        }
    }
}

fn unix(path: &str) -> Result<Target, TargetError> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(TargetError::Path(path.to_owned()));
    }
    if path.len() > UNIX_PATH_BYTES {
        return Err(TargetError::PathTooLong(path.to_owned()));
    }
    Ok(Target::Unix(PathBuf::from(path)))
}

/// The hosts file is read by ourselves because getaddrinfo of a static glibc loads the
/// host's NSS libraries, which have to be of the same glibc version.
fn resolve(text: &str) -> Result<SocketAddr, TargetError> {
    let (host, port) = host_and_port(text)?;
    // Also an IPv6 address with its scope, `[fe80::1%2]:514`.
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => {
            let hosts = match std::fs::read(HOSTS_FILE) {
                // Minimal images have none.
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                read => read.map_err(|error| TargetError::HostsFile(host.to_owned(), error))?,
            };
            find_host(&String::from_utf8_lossy(&hosts), host)
                .ok_or_else(|| TargetError::UnknownHost(host.to_owned()))?
        }
    };
    Ok(SocketAddr::new(ip, port))
}

fn host_and_port(text: &str) -> Result<(&str, u16), TargetError> {
    let wrong = || TargetError::Address(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') => return Err(TargetError::Brackets(text.to_owned())),
        None => host,
    };
    // `parse` would take a sign; a port of 0 cannot be connected to.
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0).ok_or_else(wrong)?;
    if bare.is_empty() {
        return Err(wrong());
    }
    Ok((bare, port))
}

/// The first address of a name, which is compared without regard to case (hosts(5)).
fn find_host(hosts: &str, name: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(ip)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_and_written_back() {
        for text in ["unix:/dev/log", "unix:/a:b", "udp:192.0.2.1:514", "tcp:[::1]:6514", "stdout"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!(Target::default().to_string(), "unix:/dev/log");
    }

    #[test]
    fn errors_say_what_to_write() {
        let long = format!("unix:/{}", "x".repeat(UNIX_PATH_BYTES));
        for (text, part) in [
            ("", "write unix:PATH"),
            ("/dev/log", "write unix:PATH"),
            ("file:/x", "write unix:PATH"),
            ("unix:", "absolute path"),
            ("unix:dev/log", "absolute path"),
            (long.as_str(), "108 bytes"),
            ("udp:192.0.2.1", "HOST:PORT"),
            ("udp::514", "HOST:PORT"),
            ("udp:[]:514", "HOST:PORT"),
            ("udp:[::1:514", "HOST:PORT"),
            ("tcp:192.0.2.1:0", "HOST:PORT"),
            ("tcp:192.0.2.1:+1", "HOST:PORT"),
            ("tcp:192.0.2.1:65536", "HOST:PORT"),
            ("tcp:::1:514", "[2001:db8::1]:514"),
            ("tcp:no-such-host.invalid:514", "does not ask DNS"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_hosts_file_that_cannot_be_read_is_told_with_the_reason() {
        let error = ErrorKind::PermissionDenied.into();
        let error = TargetError::HostsFile("siem".to_owned(), error).to_string();
        assert!(error.contains("(permission denied)"), "{error}");
    }

    #[test]
    fn hosts_file_names_are_found() {
        let hosts = "# 192.0.2.9 siem\n127.0.0.1\tlocalhost\n::1 localhost ip6\n\n\
                     192.0.2.7 siem.example SIEM # 192.0.2.8 other\nbroken line";
        let ip = |name| find_host(hosts, name).map(|ip| ip.to_string());
        assert_eq!(ip("localhost").as_deref(), Some("127.0.0.1"));
        assert_eq!(ip("siem").as_deref(), Some("192.0.2.7"));
        assert_eq!(ip("ip6").as_deref(), Some("::1"));
        assert_eq!(ip("other"), None);
        assert_eq!(ip("line"), None);
    }
}
