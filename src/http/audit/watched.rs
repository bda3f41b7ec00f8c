//! Which requests are recorded, and as what: the one table.

use actix_web::http::Method;
use percent_encoding::percent_decode_str;

/// How a record is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody answers for it: it is not done unless it can be recorded, and not answered before it is.
    Act,
    /// It is recorded if there is room.
    Event,
    /// The same, if access is recorded at all; of many alike one.
    Access,
}

/// What a request is to the audit log.
#[derive(Debug, PartialEq, Eq)]
pub struct Watched {
    pub kind: Kind,
    /// `area.verb`
    pub action: String,
    /// `kind:id`, or empty.
    pub subject: String,
    /// What of the subject.
    pub part: Option<String>,
}

impl Watched {
    /// Tells whether it is about somebody signing in, whom nobody knows before.
    pub fn signs_in(&self) -> bool {
        ["auth.login", "auth.refresh", "auth.register", "auth.password", "auth.oidc"].contains(&&*self.action)
    }
}

/// Looks a request up by its method, path and query; `None` for one that is not recorded: edits, which the documents' own logs
/// have with author and time, and what tells nothing of anybody.
pub fn watched(method: &Method, path: &str, query: &str) -> Option<Watched> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let ["v1", rest @ ..] = parts.as_slice() else { return None };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let made = |kind, action: String, subject: String| Some(Watched { kind, action, subject, part: None });
    match rest {
        ["collab", id] => made(Kind::Access, "doc.open".to_owned(), format!("doc:{id}")),
        ["docs"] if *method == Method::POST => made(Kind::Event, "doc.create".to_owned(), String::new()),
        ["docs"] => None,
        ["docs", id, rest @ ..] => of_document(method, reads, id, rest, query),
        // What comes back from a provider is a sign-in, though it is read.
        ["auth", "oidc", provider, "callback"] => {
            made(Kind::Event, "auth.oidc".to_owned(), format!("provider:{provider}"))
        }
        // Sessions renew themselves all the time, and what is asked about oneself is nobody's business.
        ["auth", ..] if reads => None,
        ["auth", what @ ..] => {
            let kind = match what {
                ["login" | "register" | "refresh" | "logout", ..] | ["password", "forgot" | "reset"] => {
                    Kind::Event
                }
                _ => Kind::Act,
            };
            // What comes behind the second word is an id, or worse.
            let action = what.first().map_or_else(String::new, |word| format!("auth.{word}"));
            made(kind, action, what.get(1).map_or_else(String::new, |id| format!("auth:{id}")))
        }
        ["admin", "audit"] => made(Kind::Event, "admin.audit".to_owned(), String::new()),
        ["users", id, "export"] => made(Kind::Act, "user.export".to_owned(), format!("user:{id}")),
        ["admin" | "groups" | "users" | "links" | "webhooks", ..] if reads => None,
        [area @ ("admin" | "groups" | "users" | "webhooks"), what @ ..] => {
            let subject = match (*area, what) {
                ("admin", ["docs", id, ..]) => format!("doc:{id}"),
                ("admin", [_, id, ..]) | ("groups" | "users" | "webhooks", [id, ..]) => {
                    format!("{}:{id}", area.trim_end_matches('s'))
                }
                _ => String::new(),
            };
            // The verb is the last word, unless that is an id.
            let verb = match (*area, what) {
                (_, []) => "create",
                ("admin", [one]) => one,
                ("admin", ["docs", _, "move"]) if *method == Method::DELETE => "unpin",
                (_, [_]) if *method == Method::DELETE => "delete",
                (_, [_]) => "change",
                ("admin", [.., verb]) => verb,
                (_, [_, verb, ..]) => verb,
            };
            made(Kind::Act, format!("{}.{verb}", area.trim_end_matches('s')), subject)
        }
        _ => None,
    }
}

fn of_document(method: &Method, reads: bool, id: &str, rest: &[&str], query: &str) -> Option<Watched> {
    let subject = format!("doc:{id}");
    let of = |kind, verb: &str, part: Option<&str>| {
        let part = part.map(str::to_owned);
        Some(Watched { kind, action: format!("doc.{verb}"), subject: subject.clone(), part })
    };
    match rest {
        // A client asks this again and again whose socket was refused; it has no content.
        [] if reads => None,
        [] if *method == Method::PATCH => of(Kind::Act, "change", None),
        [] if *method == Method::DELETE => {
            let purges = query.split('&').any(|pair| percent_decode_str(pair).eq("purge=true".bytes()));
            of(Kind::Act, if purges { "purge" } else { "trash" }, None)
        }
        ["presence", ..] => None,
        [part, ..] if reads => of(Kind::Access, "read", Some(part)),
        // What was said is in no log once it is gone.
        ["comments", comment] if *method == Method::DELETE => {
            of(Kind::Event, "uncomment", Some(&format!("comments/{comment}")))
        }
        ["ops" | "comments", ..] => None,
        [what @ ("permissions" | "link" | "links" | "owner" | "transfer" | "invitations"), whom @ ..] => {
            let part =
                if *what == "permissions" { whom.first().map(|whom| format!("{what}/{whom}")) } else { None };
            of(Kind::Act, "share", Some(part.as_deref().unwrap_or(what)))
        }
        [verb, ..] => of(Kind::Event, verb, None),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(method: &str, place: &str) -> String {
        let (path, query) = place.split_once('?').unwrap_or((place, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        watched(&method, path, query).map_or("-".to_owned(), |watched| {
            let Watched { kind, action, subject, part } = watched;
            format!("{kind:?} {action} {subject} {}", part.unwrap_or_default()).trim_end().to_owned()
        })
    }

    #[test]
    fn the_table() {
        for (method, place, wanted) in [
            ("GET", "/v1/collab/a", "Access doc.open doc:a"),
            ("POST", "/v1/docs", "Event doc.create"),
            ("GET", "/v1/docs", "-"),
            ("GET", "/v1/docs/a", "-"),
            ("GET", "/v1/docs/a/content?format=html", "Access doc.read doc:a content"),
            ("GET", "/v1/docs/a/ops", "Access doc.read doc:a ops"),
            ("GET", "/v1/docs/a/presence", "-"),
            ("POST", "/v1/docs/a/ops", "-"),
            ("POST", "/v1/docs/a/comments/7/replies", "-"),
            ("PATCH", "/v1/docs/a/comments/7", "-"),
            ("DELETE", "/v1/docs/a/comments/7", "Event doc.uncomment doc:a comments/7"),
            ("POST", "/v1/docs/a/restore", "Event doc.restore doc:a"),
            ("PATCH", "/v1/docs/a", "Act doc.change doc:a"),
            ("DELETE", "/v1/docs/a", "Act doc.trash doc:a"),
            ("DELETE", "/v1/docs/a?purge=true", "Act doc.purge doc:a"),
            ("DELETE", "/v1/docs/a?x&%70urge=%74rue", "Act doc.purge doc:a"),
            ("PUT", "/v1/docs/a/permissions/bob", "Act doc.share doc:a permissions/bob"),
            ("PUT", "/v1/docs/a/link", "Act doc.share doc:a link"),
            ("DELETE", "/v1/docs/a/links/secret", "Act doc.share doc:a links"),
            ("POST", "/v1/auth/login", "Event auth.login"),
            ("POST", "/v1/auth/password", "Act auth.password"),
            ("POST", "/v1/auth/password/reset", "Event auth.password auth:reset"),
            ("POST", "/v1/auth/tokens", "Act auth.tokens"),
            ("DELETE", "/v1/auth/tokens/7", "Act auth.tokens auth:7"),
            ("GET", "/v1/auth/me", "-"),
            ("GET", "/v1/auth/oidc/google?to=/", "-"),
            ("GET", "/v1/auth/oidc/google/callback?code=x", "Event auth.oidc provider:google"),
            ("GET", "/v1/admin/audit", "Event admin.audit"),
            ("GET", "/v1/admin/docs", "-"),
            ("POST", "/v1/admin/docs/a/passivate", "Act admin.passivate doc:a"),
            ("POST", "/v1/admin/docs/a/move", "Act admin.move doc:a"),
            ("DELETE", "/v1/admin/docs/a/move", "Act admin.unpin doc:a"),
            ("POST", "/v1/admin/drain", "Act admin.drain"),
            ("GET", "/v1/users/bob/export", "Act user.export user:bob"),
            ("POST", "/v1/users/bob/erase", "Act user.erase user:bob"),
            ("DELETE", "/v1/groups/g", "Act group.delete group:g"),
            ("PUT", "/v1/groups/g/members/bob", "Act group.members group:g"),
            ("POST", "/v1/groups", "Act group.create"),
            ("POST", "/v1/webhooks", "Act webhook.create"),
            ("PATCH", "/v1/webhooks/wh_1", "Act webhook.change webhook:wh_1"),
            ("DELETE", "/v1/webhooks/wh_1", "Act webhook.delete webhook:wh_1"),
            ("POST", "/v1/webhooks/wh_1/ping", "Act webhook.ping webhook:wh_1"),
            ("GET", "/v1/events", "-"),
            ("GET", "/assets/app.js", "-"),
            ("GET", "/d/a", "-"),
        ] {
            assert_eq!(told(method, place), wanted, "{method} {place}");
        }
    }
}
