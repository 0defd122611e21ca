//! Events to a record and back.

use crate::event::{Bytes, Class, Event};
use crate::limits::LINE_BYTES;
use crate::record::{Batch, Context, Encoder, Provider, PushError, Scratch};
use crate::syscalls::Arch;

/// Writes events, and reads what it wrote. Made once: its buffers are large.
pub(super) struct Rewriter {
    encoder: Encoder,
    line: Box<Bytes<LINE_BYTES>>,
    scratch: Scratch,
    read: Box<Event>,
    unread: Box<Event>,
}

impl Rewriter {
    pub fn new() -> Rewriter {
        let context = Context {
            boot_id: [7; 16],
            start_ns: 1,
            hostname: Bytes::from_slice(b"gate").unwrap(),
            arch: Arch::HOST,
            provider: Provider::Ebpf,
        };
        Rewriter {
            encoder: Encoder::new(Class::Bulk, context),
            line: Box::new(Bytes::new()),
            scratch: Scratch::new(),
            read: Box::new(Event::new()),
            unread: Box::new(Event::new()),
        }
    }

    /// A line with the event alone. What is too large for one loses what it can shed, and then fits.
    pub fn line(&mut self, event: &mut Event) -> &[u8] {
        match self.encoder.push(event) {
            Ok(()) => {}
            Err(PushError::Full) => panic!("an empty batch is not full"),
            Err(PushError::TooLarge) => {
                event.shed();
                self.encoder.push(event).expect("without what it shed it fits");
            }
        }
        assert_eq!(self.encoder.finish(0, &mut self.line), 1);
        &self.line
    }

    /// The event as such a line gives it back.
    pub fn rewrite(&mut self, event: &mut Event) -> &Event {
        self.line(event);
        let mut batch = Batch::parse(&self.line, &mut self.scratch).expect("our own line");
        batch.next(&mut self.read).expect("an event").expect("one that can be read");
        assert!(batch.next(&mut self.unread).is_none(), "there is one");
        assert_eq!((batch.unknown_events(), batch.unknown_fields()), (0, 0));
        &self.read
    }
}
