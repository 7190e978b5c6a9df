//! Listens to pipes on threads of their own, so that a test can wait for what comes out of one
//! without sleeping, and without waiting for ever.

use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// No run of the tests takes seconds; a run that takes this long hangs.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// What came out of a pipe so far.
pub struct Heard {
    state: Mutex<(Vec<u8>, Ending)>,
    changed: Condvar,
}

#[derive(PartialEq)]
enum Ending {
    Open,
    Closed,
}

impl Heard {
    /// Listens on a thread of its own, until the end.
    pub fn listen<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static) -> Arc<Heard> {
        let heard = Arc::new(Heard {
            state: Mutex::new((Vec::new(), Ending::Open)),
            changed: Condvar::new(),
        });
        let listener = Arc::clone(&heard);
        thread::spawn(move || {
            let mut pipe = open().expect("a pipe to listen to");
            let mut piece = [0; 65_536];
            loop {
                let count = pipe.read(&mut piece).unwrap_or(0);
                let mut state = listener.state.lock().expect("no panic under the lock");
                state.0.extend_from_slice(&piece[..count]);
                if count == 0 {
                    state.1 = Ending::Closed;
                }
                listener.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        heard
    }

    /// All of it, once it holds `text`; `None` if it never does.
    pub fn wait_for(&self, text: &str) -> Option<Vec<u8>> {
        self.wait(|bytes, _| String::from_utf8_lossy(bytes).contains(text))
    }

    /// All of it, once nothing more can come; `None` if that never happens.
    pub fn wait_for_end(&self) -> Option<Vec<u8>> {
        self.wait(|_, ending| *ending == Ending::Closed)
    }

    /// What came so far, as text.
    pub fn so_far(&self) -> String {
        let state = self.state.lock().expect("no panic under the lock");
        String::from_utf8_lossy(&state.0).into_owned()
    }

    /// Waits until `is_enough`; `None` if it never was.
    fn wait(&self, is_enough: impl Fn(&[u8], &Ending) -> bool) -> Option<Vec<u8>> {
        let state = self.state.lock().expect("no panic under the lock");
        let wait = |state: &mut (Vec<u8>, Ending)| {
            !is_enough(&state.0, &state.1) && state.1 == Ending::Open
        };
        let waited = self.changed.wait_timeout_while(state, WAIT_MAX, wait);
        let (state, _) = waited.expect("no panic under the lock");
        is_enough(&state.0, &state.1).then(|| state.0.clone())
    }
}

/// The test's end of a pipe with a name. It opens when the first writer does.
pub struct Fifo {
    heard: Arc<Heard>,
}

impl Fifo {
    /// Makes the pipe, and listens.
    pub fn new(path: PathBuf) -> Fifo {
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a new pipe");
        Fifo {
            heard: Heard::listen(|| File::open(path)),
        }
    }

    /// Waits until the writers have said this.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let found = self.heard.wait_for(text);
        assert!(found.is_some(), "{text:?} never came through the pipe");
    }

    /// Waits until no process has it open any more.
    #[track_caller]
    pub fn check_closes(&self) {
        let found = self.heard.wait_for_end();
        assert!(
            found.is_some(),
            "a process lives on and holds the pipe open"
        );
    }
}
