//! The values of a section, each judged by itself. `None` is a value that was
//! reported.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hozo_pages::When;
use hozo_traits::{Role, ServerId};
use toml::Spanned;

use super::super::{path, store};
use super::{Rest, source};
use crate::problem::{listed, nearest};
use crate::secret::Secret;
use crate::text::Report;

/// A number: what it is where it is not given, and what it may be.
pub(super) struct Number {
    default: u64,
    range: RangeInclusive<u64>,
}

/// More followers than this is a slip: each of them delays every answer.
pub(super) const ACK: Number = Number { default: 0, range: 0..=100 };
/// At most an hour.
pub(super) const ACK_TIMEOUT_MS: Number = Number { default: 5000, range: 1..=3_600_000 };
const SEGMENT_BYTES: Number = Number { default: 64 << 20, range: 64 << 10..=1 << 30 };
const KEEP_BYTES_DEFAULT: u64 = 10 << 30;
const KEEP_DEFAULT: Duration = Duration::from_secs(7 * DAY_S);
/// Some hundred years, so that a time before now has room for it.
const KEEP_MAX: Duration = Duration::from_secs(36_525 * DAY_S);
const DAY_S: u64 = 86_400;
/// As far as timestamps of Tkrzw go, either way.
const SKEW_MS_MAX: i64 = (1 << 48) - 1;

const ROLES: [&str; 2] = ["follower", "master"];

/// Judges the values of a section.
pub(super) struct Values<'v, 'r, 't> {
    pub(super) title: String,
    pub(super) span: Range<usize>,
    pub(super) base: &'v Path,
    pub(super) report: &'r mut Report<'t>,
}

impl Values<'_, '_, '_> {
    fn missing(&mut self, key: &str, such_as: &str) {
        let message = format!("{} has no `{key}`", self.title);
        self.report.missing(self.span.clone(), message).note(format!("such as: {such_as}"));
    }

    pub(super) fn server_id(&mut self, given: Option<Spanned<u64>>) -> Option<ServerId> {
        let Some(given) = given else {
            self.missing("server_id", "server_id = 1, which no other server has");
            return None;
        };
        let id = u32::try_from(*given.get_ref()).unwrap_or(u32::MAX);
        match ServerId::new(id) {
            Ok(id) => Some(id),
            Err(e) => {
                let message = format!("{}, not {}", e.message(), given.get_ref());
                self.report.add(given.span(), message);
                None
            }
        }
    }

    pub(super) fn dir(
        &mut self,
        given: Option<Spanned<String>>,
        stores: &BTreeMap<PathBuf, (String, usize)>,
    ) -> Option<PathBuf> {
        let Some(given) = given else {
            self.missing("dir", "dir = \"data/ulog\"");
            return None;
        };
        let (span, given) = (given.span(), given.into_inner());
        if given.is_empty() {
            self.report.add(span, "the update log needs a directory");
            return None;
        }
        let dir = path::absolute(self.base, &given);
        if self.is_apart(&dir, &span, stores) {
            path::check(&dir, &path::LOG, &span, self.report);
        }
        Some(dir)
    }

    /// Whether the directory has nothing to do with a store's.
    fn is_apart(
        &mut self,
        dir: &Path,
        span: &Range<usize>,
        stores: &BTreeMap<PathBuf, (String, usize)>,
    ) -> bool {
        let real = path::real(dir);
        for (path, (store, line)) in stores {
            let path = path::real(path);
            let what = if path == real {
                "is the directory of"
            } else if real.starts_with(&path) {
                "is in the directory of"
            } else if path.starts_with(&real) {
                "has in it the directory of"
            } else {
                continue;
            };
            self.report
                .add(span.clone(), format!("this {what} [store.{store}]"))
                .note(format!("which is on line {line}; an update log has a directory of its own"));
            return false;
        }
        true
    }

    /// The server that is followed, if any.
    pub(super) fn source(&mut self, given: Option<&Spanned<String>>) -> Option<Option<String>> {
        let Some(given) = given else { return Some(None) };
        match source::absolute(given.get_ref(), self.base) {
            Ok(address) => Some(Some(address)),
            Err(why) => {
                self.report.add(given.span(), why).note(source::FORMS);
                None
            }
        }
    }

    pub(super) fn role(&mut self, given: Option<Spanned<String>>, follows: bool) -> Option<Role> {
        let Some(given) = given else {
            return Some(if follows { Role::Follower } else { Role::Master });
        };
        match (&**given.get_ref(), follows) {
            ("follower", true) => return Some(Role::Follower),
            ("master", true) => return Some(Role::DualMaster),
            ("master", false) => return Some(Role::Master),
            ("follower", false) => {
                self.report
                    .add(given.span(), "a follower has a server that it follows")
                    .note("such as: follow = \"http://db2:1978\"");
            }
            (role, _) => {
                let problem = self.report.add(given.span(), format!("unknown role `{role}`"));
                if let Some(meant) = nearest(role, ROLES) {
                    problem.label(format!("did you mean `{meant}`?"));
                }
                problem.note(format!("roles: {}", listed(ROLES)));
            }
        }
        None
    }

    pub(super) fn home(
        &mut self,
        given: Option<Spanned<bool>>,
        role: Option<Role>,
    ) -> Option<bool> {
        let Some(given) = given else { return Some(false) };
        if *given.get_ref() && role == Some(Role::Follower) {
            self.report
                .add(given.span(), "a follower is not the home of namespaces")
                .note("the home is a master; of two masters (`role = \"master\"`), one of both");
            return None;
        }
        Some(given.into_inner())
    }

    /// The stores whose namespaces are replicated, in the order of the config.
    pub(super) fn namespaces(
        &mut self,
        given: Option<Vec<Spanned<String>>>,
        rest: &Rest<'_>,
    ) -> Option<Vec<String>> {
        let in_order = |wanted: &[String]| {
            rest.stores.iter().filter(|name| wanted.contains(name)).cloned().collect()
        };
        let Some(given) = given else { return Some(in_order(&rest.mapped)) };
        let mut wanted = Vec::new();
        let mut all = true;
        for name in given {
            let Some(_) = store::place(Some(&name), rest.stores, self.report) else {
                all = false;
                continue;
            };
            if wanted.contains(name.get_ref()) {
                self.report.add(name.span(), format!("`{}` is named twice", name.get_ref()));
                all = false;
            }
            wanted.push(name.into_inner());
        }
        all.then(|| in_order(&wanted))
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        given: Option<Spanned<u64>>,
        number: Number,
    ) -> Option<u64> {
        let Some(given) = given else { return Some(number.default) };
        let (least, most) = (number.range.start(), number.range.end());
        if !number.range.contains(given.get_ref()) {
            let message = format!("`{key}` is from {least} to {most}, not {}", given.get_ref());
            self.report.add(given.span(), message);
            return None;
        }
        Some(given.into_inner())
    }

    pub(super) fn segment_bytes(&mut self, given: Option<Spanned<u64>>) -> Option<u64> {
        let span = given.as_ref().map(Spanned::span);
        let bytes = self.number("segment_bytes", given, SEGMENT_BYTES)?;
        if !bytes.is_power_of_two() {
            let message = format!("a segment's size is a power of two, not {bytes}");
            self.report.add(span?, message);
            return None;
        }
        Some(bytes)
    }

    pub(super) fn keep(&mut self, given: Option<Spanned<String>>) -> Option<Duration> {
        let Some(given) = given else { return Some(KEEP_DEFAULT) };
        // An age is how long ago something was, without the sign.
        match format!("-{}", given.get_ref()).parse() {
            Ok(When::Ago(age)) if age <= KEEP_MAX => return Some(age),
            Ok(When::Ago(_)) => {
                self.report.add(given.span(), "`keep` is at most 36525d");
            }
            _ => {
                self.report
                    .add(given.span(), format!("{:?} is no age", given.get_ref()))
                    .note("such as 7d, 12h or 1w2d: the units are w, d, h, m, s, largest first");
            }
        }
        None
    }

    pub(super) fn keep_bytes(
        &mut self,
        given: Option<Spanned<u64>>,
        segment_bytes: Option<u64>,
    ) -> Option<u64> {
        let Some(given) = given else { return Some(KEEP_BYTES_DEFAULT) };
        let least = segment_bytes.unwrap_or(0);
        if *given.get_ref() < least {
            self.report
                .add(given.span(), format!("`keep_bytes` is less than a segment, {least} bytes"))
                .note("space comes back a segment at a time; see `segment_bytes`");
            return None;
        }
        Some(given.into_inner())
    }

    pub(super) fn token(
        &mut self,
        given: Option<Spanned<String>>,
        file: Option<Spanned<String>>,
    ) -> Option<Option<Secret>> {
        match (given, file) {
            (None, None) => Some(None),
            (Some(_), Some(file)) => {
                self.report.add(
                    file.span(),
                    "`follow_token` and `follow_token_file` both say the token: give one of them",
                );
                None
            }
            (Some(token), None) if token.get_ref().trim().is_empty() => {
                self.report.add(token.span(), "a token is not empty");
                None
            }
            (Some(token), None) => Some(Some(Secret::Given(token.into_inner()))),
            (None, file) => Some(self.file("follow_token_file", file)?.map(Secret::File)),
        }
    }

    /// A file, which is read when it is needed.
    pub(super) fn file(
        &mut self,
        key: &str,
        given: Option<Spanned<String>>,
    ) -> Option<Option<PathBuf>> {
        let Some(given) = given else { return Some(None) };
        if given.get_ref().is_empty() {
            self.report.add(given.span(), format!("`{key}` is a file, which has a name"));
            return None;
        }
        Some(Some(path::absolute(self.base, given.get_ref())))
    }

    pub(super) fn identity(
        &mut self,
        cert: Option<Spanned<String>>,
        key: Option<Spanned<String>>,
    ) -> Option<Option<(PathBuf, PathBuf)>> {
        let alone = match (&cert, &key) {
            (Some(cert), None) => Some(cert.span()),
            (None, Some(key)) => Some(key.span()),
            _ => None,
        };
        if let Some(alone) = alone {
            self.report.add(alone, "`follow_cert` and `follow_key` go together");
            return None;
        }
        let (cert, key) = (self.file("follow_cert", cert), self.file("follow_key", key));
        Some(cert?.zip(key?))
    }

    pub(super) fn skew(&mut self, given: Option<Spanned<i64>>, follows: bool) -> Option<i64> {
        let Some(given) = given else { return Some(0) };
        let skew = *given.get_ref();
        if skew.unsigned_abs() > SKEW_MS_MAX.unsigned_abs() {
            let message = format!("`timestamp_skew_ms` is from -{SKEW_MS_MAX} to {SKEW_MS_MAX}");
            self.report.add(given.span(), message);
            return None;
        }
        if !follows {
            self.report
                .add(given.span(), "`timestamp_skew_ms` is about the server that is followed")
                .note("such as: follow = \"http://db2:1978\"");
            return None;
        }
        Some(skew)
    }
}
