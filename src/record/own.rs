//! What the sensor says of itself: the fields of these actions, to and from the wire.

use super::encode::append as write_to;
use super::error::DecodeError;
use super::reader::Reader;
use super::wire::Blob;
use crate::event::{
    Action, BlindSpots, Bytes, Capability, Class, Event, Heartbeat, HeartbeatMore, Loss, LossPlace,
    Pause, Resumption, Truncated, append,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Lost {
    place: u8,
    class: Option<u8>,
    cpu: Option<u16>,
    count: u64,
}

/// What follows it, of a sensor with several receivers.
#[derive(Debug, Serialize, Deserialize)]
struct LostMore {
    /// From 1; 0: none.
    receiver: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct Alive {
    ebpf: bool,
    received: u64,
    excluded: u64,
    lost: u64,
    sent: u64,
}

/// What follows it. A record of the first sensors ends before.
#[derive(Debug, Serialize, Deserialize)]
struct AliveMore<'a> {
    #[serde(borrow)]
    version: Blob<'a>,
    hooks: u32,
    suppressed: u64,
    interval_s: u32,
}

/// capability.
#[derive(Debug, Serialize, Deserialize)]
struct Able<'a> {
    #[serde(borrow)]
    version: Blob<'a>,
    #[serde(borrow)]
    kernel: Blob<'a>,
    ebpf: bool,
    hooks: u32,
    #[serde(borrow)]
    missing: Blob<'a>,
    blind_spots: u32,
    exclusions: u32,
    bulk_budget: u32,
    send_window_s: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Paused {
    limit_s: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Resumed {
    why: u8,
}

/// Writes the fields of such an event behind what is in `out`.
pub(super) fn write<const N: usize>(event: &Event, out: &mut Bytes<N>) -> postcard::Result<()> {
    match event.action {
        // A loss record without a loss has nothing to say; place 0 is none.
        Action::Loss => {
            let none = Lost { place: 0, class: None, cpu: None, count: 0 };
            let lost = event.loss.map_or(none, |loss| Lost {
                place: loss.place as u8,
                class: loss.class.map(|class| class as u8),
                cpu: loss.cpu,
                count: loss.count,
            });
            write_to(out, &lost)?;
            if let Some(receiver) = event.loss.and_then(|loss| loss.receiver) {
                write_to(out, &LostMore { receiver })?;
            }
        }
        Action::Heartbeat => {
            let Heartbeat { ebpf, received, excluded, lost, sent, more } =
                event.heartbeat.unwrap_or_default();
            write_to(out, &Alive { ebpf, received, excluded, lost, sent })?;
            if let Some(HeartbeatMore { hooks, suppressed, interval_s }) = more {
                let version = Blob(&event.from);
                write_to(out, &AliveMore { version, hooks, suppressed, interval_s })?;
            }
        }
        Action::Capability => {
            let Capability {
                ebpf,
                hooks,
                exclusions,
                bulk_budget,
                send_window_s,
                blind_spots: BlindSpots(blind_spots),
            } = event.capability.unwrap_or_default();
            write_to(
                out,
                &Able {
                    version: Blob(&event.from),
                    kernel: Blob(&event.path),
                    ebpf,
                    hooks,
                    missing: Blob(&event.args),
                    blind_spots,
                    exclusions,
                    bulk_budget,
                    send_window_s,
                },
            )?;
        }
        Action::Pause => {
            write_to(out, &Paused { limit_s: event.pause.map_or(0, |pause| pause.limit_s) })?;
        }
        // Number 0 is no reason.
        Action::Resume => {
            write_to(out, &Resumed { why: event.resumption.map_or(0, |why| why as u8) })?;
        }
        _ => {}
    }
    Ok(())
}

/// Reads them into `event`: what was cut. `None`: it is of a kind that this version does not know.
pub(super) fn read(
    event: &mut Event,
    record: &mut Reader,
) -> Result<Option<Truncated>, DecodeError> {
    let mut cut = Truncated::default();
    match event.action {
        Action::Loss => {
            let body = record.take::<Lost>("a loss")?;
            let class = body.class.map(Class::from_number);
            let (Some(place), false) = (LossPlace::from_number(body.place), class == Some(None))
            else {
                return Ok(None);
            };
            let more = (!record.is_empty()).then(|| record.take::<LostMore>("what follows a loss"));
            let receiver = more.transpose()?.map(|more| more.receiver).filter(|place| *place != 0);
            let (class, cpu, count) = (class.flatten(), body.cpu, body.count);
            event.loss = Some(Loss { place, class, cpu, receiver, count });
        }
        Action::Heartbeat => {
            let Alive { ebpf, received, excluded, lost, sent } = record.take("a heartbeat")?;
            let mut more = None;
            if !record.is_empty() {
                let AliveMore { version, hooks, suppressed, interval_s } =
                    record.take("what follows a heartbeat")?;
                more = Some(HeartbeatMore { hooks, suppressed, interval_s });
                if append(&mut event.from, version.0) {
                    cut.insert(Truncated::FROM);
                }
            }
            event.heartbeat = Some(Heartbeat { ebpf, received, excluded, lost, sent, more });
        }
        Action::Capability => {
            let body = record.take::<Able>("a capability")?;
            event.capability = Some(Capability {
                ebpf: body.ebpf,
                hooks: body.hooks,
                exclusions: body.exclusions,
                bulk_budget: body.bulk_budget,
                send_window_s: body.send_window_s,
                blind_spots: BlindSpots(body.blind_spots),
            });
            if append(&mut event.from, body.version.0) {
                cut.insert(Truncated::FROM);
            }
            if append(&mut event.path, body.kernel.0) {
                cut.insert(Truncated::PATH);
            }
            if append(&mut event.args, body.missing.0) {
                cut.insert(Truncated::ARGS);
            }
        }
        Action::Pause => {
            event.pause = Some(Pause { limit_s: record.take::<Paused>("a pause")?.limit_s });
        }
        Action::Resume => {
            let why = record.take::<Resumed>("a resume")?.why;
            let Some(why) = Resumption::from_number(why) else { return Ok(None) };
            event.resumption = Some(why);
        }
        _ => {}
    }
    Ok(Some(cut))
}
