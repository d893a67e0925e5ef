use std::time::Duration;

use super::{
    ConsentWords, ErrorText, ErrorWords, FirstAdministratorWords, FormPostWords, LogInWords, LogOutWords,
    SessionWords, SignedOutWords, Unit, Words, around, rounded_down, rounded_up,
};

pub(super) const WORDS: Words = Words {
    problem: "Problem",
    username: "Username",
    password: "Password",
    sign_in: "Sign in",
    sign_out: "Sign out",
    cancel: "Cancel",
    signed_in_as: around("You are signed in as ", "."),
    too_many: |wait| format!("There were too many attempts. Wait {wait}, then try again."),
    length: |length| {
        let (count, unit) = rounded_up(length);
        counted(count, unit)
    },
    ago: |length: Duration| {
        rounded_down(length)
            .map_or_else(|| "just now".to_owned(), |(count, unit)| counted(count, unit) + " ago")
    },
    log_in: LogInWords {
        purpose: around("to continue to ", ""),
        own: "to see and end your sessions",
        again_title: "Confirm it is you",
        again_for: around("", " asks for your password again."),
        wrong: "This username and password do not match. Check both and try again. If you have forgotten the \
                password, ask your administrator for a new one.",
        stopped: "There were too many wrong passwords for this username, and waiting does not help. Ask your administrator \
                  to let you sign in again.",
        busy: "Many people are signing in right now, and your password was not checked. Try again in a few seconds.",
        unavailable: "Signing in does not work right now. It is not your password. Try again in a minute.",
        stale: "This page was open for too long, so what you entered was not checked. Please sign in again.",
    },
    consent: ConsentWords {
        title: "Allow access",
        asks: around("Allow ", " to use your account?"),
        will: "It will be able to:",
        openid: "know that it is you, by an identifier of your account",
        profile: "see your name and the rest of your profile",
        email: "see your email address",
        roles: "see your roles",
        groups: "see the groups that you belong to",
        offline_access: "keep this access while you are away, until you sign out",
        acts: around("act for you at ", ""),
        allow: "Allow",
        deny: "Do not allow",
        returns: around("You will go back to ", "."),
        ends: "When your session ends, so does this access.",
    },
    log_out: LogOutWords {
        title: "Sign out?",
        clients: "You will also be signed out of:",
        stay: "Stay signed in",
    },
    signed_out: SignedOutWords {
        title: "Signed out",
        text: "You are signed out.",
        next: "You can close this window. If others use this device too, close the browser as well.",
        go: around("Go to ", ""),
    },
    sessions: SessionWords {
        title: "Your sessions",
        advice: "If you do not recognise a session, end it and tell your administrator: somebody may know your \
                 password.",
        current: "This session",
        unknown_device: "Unknown device",
        used: around("Used ", ""),
        signed_in: around("Signed in ", ""),
        clients: "Applications:",
        end: "End session",
        end_others: "End all other sessions",
        alone: "You are not signed in anywhere else.",
        ended: "The session is ended. Applications will stop accepting it within a minute.",
        others_ended: "All other sessions are ended. Applications will stop accepting them within a minute.",
        allowed: "Applications that you allowed",
        allowed_since: around("Allowed ", ""),
        take_back: "Take back",
        taken_back: "The permission is taken back. The application gets nothing new, and what it holds already expires soon.",
    },
    first_administrator: FirstAdministratorWords {
        title: "The first administrator",
        intro: "Choose the name and the password of the first administrator. This link works once.",
        hint: |min| {
            format!("At least {min} characters. Several words that do not belong together are a good start.")
        },
        again: "Password again",
        create: "Create administrator",
        username: "This username cannot be used. Choose one with 1 to 128 visible characters.",
        username_taken: "Somebody has this username. Choose another.",
        password_short: |min| {
            format!("The password is too short. Choose one with at least {min} characters.")
        },
        password_long: "The password is too long. Choose one with at most 1024 bytes.",
        password_common: "This password is easy to guess: many people use it, or it contains a name. Choose another.",
        password_characters: "The password contains a character that cannot be used. Choose one without it.",
        different: "The two passwords differ. Type the same password in both fields.",
        unavailable: "The administrator could not be created, and nothing was changed. Try again in a minute.",
        made_title: "Ready",
        made: "The first administrator is created.",
        made_name: around("Sign in as ", " from now on. The link that brought you here no longer works."),
    },
    form_post: FormPostWords {
        title: "One moment",
        text: around("You are on your way back to ", "."),
        go: "Continue",
        hint: "If nothing happens, choose Continue.",
    },
    errors: ErrorWords {
        code: "Code:",
        reference: "Reference:",
        unknown_client: ErrorText {
            title: "Unknown application",
            happened: "The application that sent you here is not registered, or is switched off.",
            next: "You have done nothing wrong. Go back to the application, and tell those who run it that signing \
                   in does not work.",
        },
        redirect_uri: ErrorText {
            title: "No safe way back",
            happened: "The application asked to send you to an address that is not registered for it. To protect \
                       you, you are not sent there.",
            next: "Close this page if a link from a message or a stranger brought you here. If it was the \
                   application itself, tell those who run it: its redirect URI must be registered exactly as it is \
                   sent.",
        },
        post_logout_redirect_uri: ErrorText {
            title: "No safe way back",
            happened: "The application asked to send you on, after signing out, to an address that is not \
                       registered for it.",
            next: "You are still signed in. Sign out on your sessions page, and tell those who run the application: \
                   its post-logout redirect URI must be registered exactly as it is sent.",
        },
        malformed: ErrorText {
            title: "This request cannot be understood",
            happened: "Something is missing in the address that brought you here, or is there twice.",
            next: "Go back to the application and sign in from there. If it happens again, tell those who run it.",
        },
        expired: ErrorText {
            title: "This page has expired",
            happened: "The page was open for too long, or was used already. Nothing was changed.",
            next: "Go back to the application and sign in again from there.",
        },
        forged: ErrorText {
            title: "Please try that again",
            happened: "What was sent did not come from a page of ours in this browser, so nothing was done.",
            next: "Allow cookies for this site, then go back to the application and begin again from there.",
        },
        link: ErrorText {
            title: "This link no longer works",
            happened: "The link works once and for a short time only. It was used, or its time is over.",
            next: "Ask whoever gave it to you for a new one.",
        },
        not_found: ErrorText {
            title: "Page not found",
            happened: "There is nothing at this address.",
            next: "Check the address, or go back to the application that you came from.",
        },
        unavailable: ErrorText {
            title: "Back in a moment",
            happened: "Signing in does not work right now. Your sessions and your password are not affected.",
            next: "Wait a minute, then load this page again.",
        },
        internal: ErrorText {
            title: "Something went wrong here",
            happened: "This is a fault of ours, not of yours.",
            next: "Go back and try again. If it happens again, tell your administrator the code and the time.",
        },
    },
};

fn counted(count: u64, unit: Unit) -> String {
    let name = match unit {
        Unit::Second => "second",
        Unit::Minute => "minute",
        Unit::Hour => "hour",
        Unit::Day => "day",
    };
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}
