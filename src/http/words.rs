//! What parameters and refusals mean, which is the same in every call that has them.

use utoipa::openapi::path::ParameterIn;

/// Why a call is refused with this status, unless the call says so itself.
pub(super) fn refusal(status: &str) -> &'static str {
    match status {
        "400" => "It cannot be meant like this: `message` says what is wrong, and `details.field` where.",
        "401" => "There is no token, or one that is not valid or not any more.",
        "403" => "It is another user's.",
        "404" => "There is none.",
        "409" => "The generation has a preview already, or the user has as many as they may.",
        "413" => "It is larger than what is taken, or over a quota: `details.limit` says how much may be.",
        "415" => "The body is of a kind that is not taken.",
        "429" => "There were too many of these calls: `Retry-After` says when to try again.",
        "500" => "The code could not be started: `details` says why.",
        "503" => "What it takes is not there at the moment: the store, the preview or the host's means.",
        "504" => "The preview did not answer in time.",
        _ => "",
    }
}

/// What a parameter means, by its place and name.
pub(super) fn parameter(place: &ParameterIn, name: &str) -> Option<&'static str> {
    Some(match (place, name) {
        (ParameterIn::Path, "id") => "The generation.",
        (ParameterIn::Path, "projectId") => "The project.",
        (ParameterIn::Path, "path") => "The file's path.",
        (ParameterIn::Path, "requestId") => "The request's `id` in the history.",
        (ParameterIn::Header, "X-Preview-Token") => {
            "The preview's token, if it is not among the inner headers."
        }
        (ParameterIn::Header, "Last-Event-ID") => "Only lines after this id; browsers send it by themselves.",
        (ParameterIn::Query, "projectId") => "Only those of this project.",
        (ParameterIn::Query, "wait") => "`false` answers at once, while it launches.",
        (ParameterIn::Query, "name") => "What to call it, if the body is an archive.",
        (ParameterIn::Query, "entrypoint") => {
            "What to serve, if the body is an archive: `package.module:attribute`."
        }
        (ParameterIn::Query, "afterId" | "lastEventId") => "Only lines after this id.",
        (ParameterIn::Query, "beforeId") => "Only requests before this id.",
        (ParameterIn::Query, "limit") => "At most so many.",
        (ParameterIn::Query, "level") => "Only lines of this level, and graver ones.",
        (ParameterIn::Query, "source") => "Only lines of this source.",
        (ParameterIn::Query, "requestId") => "Only lines of this request.",
        (ParameterIn::Query, "method") => "Only requests of this method.",
        (ParameterIn::Query, "q") => "Only what contains this text, in capitals or not.",
        (ParameterIn::Query, "format") => "How it is written.",
        (ParameterIn::Query, "tail") => "No more than so many of the lines that are there already.",
        (ParameterIn::Query, "ticket") => "A ticket, in the place of a bearer token.",
        _ => return None,
    })
}
