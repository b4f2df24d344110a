//! `idx2gcs emulate`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use idx2gcs_emulator::{Emulator, Faults, Options};

use super::error::Error;
use super::say;
use crate::exit::Exit;

pub(super) fn command() -> Command {
    let command = Command::new("emulate")
        .about("Serves an embedded Google Cloud Storage on loopback, with faults to rehearse")
        .arg(
            option("port", "N", "The port; 0 takes a free one")
                .value_parser(value_parser!(u16))
                .default_value("4443"),
        )
        .arg(
            option("address", "IP", "The address to listen on")
                .value_parser(value_parser!(IpAddr))
                .default_value("127.0.0.1"),
        )
        .arg(
            Arg::new("allow-remote")
                .long("allow-remote")
                .action(ArgAction::SetTrue)
                .help("Permit an address that others can reach, and any host name; nobody is asked for credentials"),
        )
        .arg(
            option("dir", "DIR", "Keep objects as files DIR/<bucket>/<name> [default: in memory]")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            option(
                "bucket",
                "NAME",
                "A bucket that exists from the start; may be given more than once",
            )
            .action(ArgAction::Append),
        )
        .next_help_heading("Faults, each off by default and befalling object writes");
    faults(command)
}

fn faults(command: Command) -> Command {
    let time = |name, help| option(name, "TIME", help).value_parser(humantime::parse_duration);
    let rate = |name, help| option(name, "SHARE", help).value_parser(value_parser!(f64));
    command
        .arg(time("latency", "Time before a write is handled, such as 50ms"))
        .arg(time("jitter", "The latency varies by so much, up and down"))
        .arg(rate("error-rate", "Share answered with 503"))
        .arg(rate("reset-rate", "Share whose connection is closed before the write"))
        .arg(rate("lost-ack-rate", "Share written, but whose answer is lost"))
        .arg(rate("stall-rate", "Share accepted and never answered"))
        .arg(
            option("max-rate", "N", "Writes a second; more get 429")
                .value_parser(value_parser!(u32)),
        )
        .arg(time("retry-after", "Retry-After of 503 and 429"))
        .arg(
            option("fault-seed", "N", "Seed of which write meets which fault")
                .value_parser(value_parser!(u64)),
        )
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

pub(super) fn run(args: &ArgMatches) -> Result<ExitCode, Error> {
    let time = |name: &str| args.get_one::<Duration>(name).copied();
    let rate = |name: &str| args.get_one::<f64>(name).copied().unwrap_or(0.0);
    let address = args.get_one::<IpAddr>("address").copied();
    let options = Options {
        addr: SocketAddr::new(
            address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            args.get_one::<u16>("port").copied().unwrap_or(0),
        ),
        allow_remote: args.get_flag("allow-remote"),
        root: args.get_one::<PathBuf>("dir").cloned(),
        buckets: args.get_many::<String>("bucket").into_iter().flatten().cloned().collect(),
        faults: Faults {
            latency: time("latency").unwrap_or_default(),
            jitter: time("jitter").unwrap_or_default(),
            error_rate: rate("error-rate"),
            reset_rate: rate("reset-rate"),
            lost_ack_rate: rate("lost-ack-rate"),
            stall_rate: rate("stall-rate"),
            max_rate: args.get_one::<u32>("max-rate").copied().unwrap_or(0),
            retry_after: time("retry-after"),
            seed: args.get_one::<u64>("fault-seed").copied().unwrap_or(0),
        },
        ..Options::default()
    };
    super::block_on(async {
        let mut signals = super::signals::Source::listen();
        let emulator = Emulator::start(options).await?;
        let url = emulator.url();
        say(format_args!("serving {url}; use it with: export STORAGE_EMULATOR_HOST={url}"))?;
        signals.next().await;
        emulator.stop().await;
        Ok(Exit::Complete.into())
    })
}
