//! Where a request carries its token: in `Authorization` (RFC 6750, section 2.1), or in the URL of a GET, for which
//! browsers' `EventSource` offers no header fields.

use crate::protocol::query::Query;
use crate::protocol::{ErrorCode, Headers, Method, Refusal, header};

/// The parameter of a URL that holds a token.
const PARAMETER: &str = "token";

/// Whether the URL holds a token, or what was meant as one.
pub(in crate::edge) fn is_in_url(query: &Query) -> bool {
    query.all(PARAMETER).next().is_some()
}

/// Whether a request shows a token, or what was meant as one.
pub(in crate::edge) fn is_shown(query: &str, headers: &Headers) -> bool {
    headers.get(header::AUTHORIZATION).is_some() || is_in_url(&Query::parse(query))
}

/// The token of a request. One that carries several, or the same one twice, is refused: a proxy may have checked another
/// one than this would.
pub(super) fn token<'a>(method: Method, query: &'a Query, headers: &'a Headers) -> Result<&'a str, Refusal> {
    let mut fields = headers.iter().filter(|(name, _)| *name == header::AUTHORIZATION).map(|(_, value)| value);
    let mut parameters = query.all(PARAMETER);
    let (field, parameter) = (fields.next(), parameters.next());
    // Hosts make one field of several, with commas between their values.
    let is_joined = field.is_some_and(|field| field.contains(','));
    if is_joined || field.and(parameter).is_some() || fields.next().or(parameters.next()).is_some() {
        return Err(Refusal::new(ErrorCode::TokenAmbiguous, "the request has more than one token"));
    }
    match (field, parameter) {
        (Some(field), _) => bearer(field)
            .ok_or_else(|| Refusal::new(ErrorCode::TokenInvalid, "Authorization is not Bearer and a token")),
        (None, Some(parameter)) if method == Method::Get => Ok(parameter),
        (None, Some(_)) => {
            Err(Refusal::new(ErrorCode::TokenMissing, "the token of this method belongs into Authorization"))
        }
        (None, None) => Err(Refusal::no_token()),
    }
}

/// What follows the scheme, whose name may be written in any case.
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a request of this method, with this query and these fields `Authorization`, has its token.
    fn check(method: Method, query: &str, fields: &[&str], expected: Result<&str, ErrorCode>) {
        let mut headers = Headers::default();
        headers.push(header::CACHE_CONTROL, "Bearer other");
        fields.iter().for_each(|field| headers.push(header::AUTHORIZATION, *field));
        let query = Query::parse(query);
        let found = token(method, &query, &headers).map_err(|refusal| refusal.code);
        assert_eq!(found, expected, "{method:?} {query:?} {fields:?}");
    }

    #[test]
    fn a_token_is_in_the_header_or_in_the_url_of_a_get() {
        let missing = Err(ErrorCode::TokenMissing);
        for (method, in_url) in [
            (Method::Get, Ok("t")),
            (Method::Head, missing),
            (Method::Put, missing),
            (Method::Post, missing),
            (Method::Delete, missing),
        ] {
            check(method, "", &[], missing);
            check(method, "offset=-1", &["Bearer t"], Ok("t"));
            check(method, "offset=-1&token=t", &[], in_url);
            check(method, "%74oken=t", &[], in_url);
            check(method, "Token=t&tokens=t&tok%65", &[], missing);
        }
        check(Method::Get, "token=a%2Eb", &[], Ok("a.b"));
        // What is there is a token, if not a valid one.
        check(Method::Get, "token", &[], Ok(""));
    }

    #[test]
    fn more_than_one_token_is_refused_wherever_they_are() {
        for method in [Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete] {
            for (query, fields) in [
                ("token=t", &["Bearer t"][..]),
                ("%74oken=t", &["Bearer t"]),
                ("token=t", &["Basic dDp0"]),
                ("token=", &[""]),
                ("token=t&token=t", &[]),
                ("token=t&%74%6F%6B%65%6E=u", &[]),
                ("token&token", &[]),
                ("", &["Bearer t", "Bearer t"]),
                ("", &["Bearer t", "Basic dDp0"]),
                ("", &["Bearer t, Bearer t"]),
                ("", &["Basic dDp0,Bearer t"]),
            ] {
                check(method, query, fields, Err(ErrorCode::TokenAmbiguous));
            }
        }
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        for (field, expected) in [
            ("Bearer t", Ok("t")),
            ("bearer t", Ok("t")),
            ("BEARER   t ", Ok("t")),
            ("Bearer t u", Ok("t u")),
            ("Bearer ", Ok("")),
            ("Bearer", Err(ErrorCode::TokenInvalid)),
            ("", Err(ErrorCode::TokenInvalid)),
            ("t", Err(ErrorCode::TokenInvalid)),
            ("Basic dDp0", Err(ErrorCode::TokenInvalid)),
            ("Bearer\tt", Err(ErrorCode::TokenInvalid)),
            (" Bearer t", Err(ErrorCode::TokenInvalid)),
        ] {
            check(Method::Post, "", &[field], expected);
        }
    }
}
