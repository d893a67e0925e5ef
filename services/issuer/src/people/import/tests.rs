use expect_test::{Expect, expect};

use super::*;

const PBKDF2: &str = "pbkdf2_sha256$1000000$seasalt$0n8SHrnTqHKw8wpNYVVyTLbtjs+kDzFzlwqJDBNDQYM=";

/// The people of a text in one line each, or its mistakes.
#[expect(clippy::needless_pass_by_value, reason = "`expect!` reads best in the call")]
fn check(text: &str, expected: Expect) {
    let shown = match parse("people", text, Format::of(text)) {
        Ok(people) => people.iter().map(|(_, new)| shown(new)).collect::<Vec<_>>().join("\n"),
        Err(mistakes) => mistakes.to_string(),
    };
    expected.assert_eq(&shown);
}

fn shown(new: &NewUser) -> String {
    let hash = new.password_hash.as_ref().map_or("-", |hash| &hash.expose()[..6]);
    let claims = Value::Object(new.profile.claims.clone());
    let NewUser { username, disabled, profile, .. } = new;
    format!("{username} {hash} {disabled} {claims} {:?} {:?}", profile.roles, profile.groups)
}

#[test]
fn lines_of_json_are_people() {
    let text = format!(
        "{{\"username\":\"ada\",\"password_hash\":\"{PBKDF2}\",\"claims\":{{\"name\":\"Ada\"}},\"roles\":[\"admin\"]}}\n\n\
         {{\"username\":\"bob\",\"disabled\":true,\"groups\":[\"b\",\"a\"]}}\n"
    );
    check(
        &text,
        expect![[r#"
        ada pbkdf2 false {"name":"Ada"} ["admin"] []
        bob - true {} [] ["a", "b"]"#]],
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_with_their_lines() {
    let text = concat!(
        "{\"username\":\"ada\"}\n",
        "{\"username\":\"ADA\"}\n",
        "{\"username\":\"\"}\n",
        "{\"username\":\"bob\",\"password\":\"in the clear\"}\n",
        "{\"username\":\"eve\",\"password_hash\":\"md5$salt$hash\",\"claims\":{\"sub\":\"x\"}}\n",
        "{\"username\":\"mal\",\"password_hash\":\"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\"}\n",
        "not JSON\n",
    );
    check(
        text,
        expect![[r"
        people:2: the name of line 1 again
        people:3: a user name has at least one character
        people:4: column 28: unknown field `password`, expected one of `username`, `password_hash`, `disabled`, `claims`, `roles`, `groups`
        people:5: not a hash of a known scheme: argon2, scrypt, bcrypt, pbkdf2_sha256 and bcrypt_sha256 as Django writes them, scrypt and pbkdf2:sha256 as Werkzeug does
        people:5: the claim `sub` is not one of a person's profile
        people:6: a hash that takes too much time or memory to verify
        people:7: column 2: expected ident"]],
    );
}

#[test]
fn the_table_of_django_is_people() {
    let text = format!(
        "\u{feff}id,password,last_login,is_superuser,username,first_name,last_name,email,is_staff,is_active,date_joined\r\n\
         1,{PBKDF2},2026-01-01 00:00:00+00,t,ada,Ada,Lovelace,ada@example.org,t,t,2020-01-01\r\n\
         2,!unusable,,0,bob,\"Bob, \"\"the\"\"\nbuilder\",,,0,0,2020-01-01\r\n\
         3,,,False,eve,,,,False,True,2020-01-01\r\n"
    );
    check(
        &text,
        expect![[r#"
        ada pbkdf2 false {"email":"ada@example.org","family_name":"Lovelace","given_name":"Ada","name":"Ada Lovelace"} ["staff", "superuser"] []
        bob - true {"given_name":"Bob, \"the\"\nbuilder","name":"Bob, \"the\"\nbuilder"} [] []
        eve - false {} [] []"#]],
    );
}

#[test]
fn a_table_that_does_not_fit_says_where() {
    check(
        "username,password,shoe size,username\nada,,,\n",
        expect![[r#"
        people:1: the column "shoe size" is not one of username, password, password_hash, email, first_name, last_name, is_active, is_staff, is_superuser, groups
        people:1: the column username is there twice"#]],
    );
    check(
        "email\na@b\n",
        expect![[r"
        people:1: the first line names the columns, and there is none called username"]],
    );
    let text = "username,is_active\nada,t\nbob\neve,maybe\n\"m\nal\",t\nzoe,t,t\n";
    check(
        text,
        expect![[r"
        people:3: 1 fields where the first line names 2
        people:4: is_active: neither true nor false
        people:5: a user name has no control characters and no invisible ones
        people:7: 3 fields where the first line names 2"]],
    );
    check(
        "",
        expect![[r"
        people:1: the first line names the columns, and there is none called username"]],
    );
    check(
        "username\n",
        expect![[r"
        people:1: there is nobody in it"]],
    );
}

#[test]
fn a_dump_of_django_is_people_with_the_names_of_their_groups() {
    let text = format!(
        r#"[
{{"model": "auth.group", "pk": 7, "fields": {{"name": "Editors", "permissions": [1]}}}},
{{"model": "contenttypes.contenttype", "pk": 1, "fields": {{"app_label": "auth"}}}},
{{"model": "shop.member", "pk": 1, "fields": {{
    "password": "{PBKDF2}", "username": "ada", "is_superuser": true, "groups": [7], "shoe_size": 38}}}},
{{"model": "auth.user", "pk": 2, "fields": {{"password": "", "username": "bob", "groups": [["Writers"]]}}}}
]"#
    );
    check(
        &text,
        expect![[r#"
        ada pbkdf2 false {} ["superuser"] ["Editors"]
        bob - false {} [] ["Writers"]"#]],
    );
    let text =
        "[\n{\"model\":\"auth.user\",\"fields\":{\"username\":\"ada\",\"groups\":[3]}},\n{\"model\":1}\n]";
    check(
        text,
        expect![[r"
        people:2: the dump does not have the group 3
        people:3: invalid type: integer `1`, expected a string"]],
    );
    check(
        "[{\"model\":\"x\"\n",
        expect![[r"
        people:2: EOF while parsing an object"]],
    );
}
