//! Who comes from another library finds each of its settings in the table, with its equivalent or the reason why not.

const TABLE: &str = include_str!("../docs/FROM-FLASK-AND-DJANGO.md");

/// All names of `DEFAULTS` in `rest_framework_simplejwt/settings.py` of djangorestframework-simplejwt 5.5.1.
const SIMPLE_JWT: &[&str] = &[
    "ACCESS_TOKEN_LIFETIME",
    "REFRESH_TOKEN_LIFETIME",
    "ROTATE_REFRESH_TOKENS",
    "BLACKLIST_AFTER_ROTATION",
    "UPDATE_LAST_LOGIN",
    "ALGORITHM",
    "SIGNING_KEY",
    "VERIFYING_KEY",
    "AUDIENCE",
    "ISSUER",
    "JSON_ENCODER",
    "JWK_URL",
    "LEEWAY",
    "AUTH_HEADER_TYPES",
    "AUTH_HEADER_NAME",
    "USER_ID_FIELD",
    "USER_ID_CLAIM",
    "USER_AUTHENTICATION_RULE",
    "AUTH_TOKEN_CLASSES",
    "TOKEN_TYPE_CLAIM",
    "JTI_CLAIM",
    "TOKEN_USER_CLASS",
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
    "SLIDING_TOKEN_LIFETIME",
    "SLIDING_TOKEN_REFRESH_LIFETIME",
    "TOKEN_OBTAIN_SERIALIZER",
    "TOKEN_REFRESH_SERIALIZER",
    "TOKEN_VERIFY_SERIALIZER",
    "TOKEN_BLACKLIST_SERIALIZER",
    "SLIDING_TOKEN_OBTAIN_SERIALIZER",
    "SLIDING_TOKEN_REFRESH_SERIALIZER",
    "CHECK_REVOKE_TOKEN",
    "REVOKE_TOKEN_CLAIM",
    "CHECK_USER_IS_ACTIVE",
];

/// All names that `JWTManager._set_default_configuration_options` of Flask-JWT-Extended 4.7.4 sets.
const FLASK_JWT_EXTENDED: &[&str] = &[
    "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_ACCESS_COOKIE_NAME",
    "JWT_ACCESS_COOKIE_PATH",
    "JWT_ACCESS_CSRF_COOKIE_NAME",
    "JWT_ACCESS_CSRF_COOKIE_PATH",
    "JWT_ACCESS_CSRF_FIELD_NAME",
    "JWT_ACCESS_CSRF_HEADER_NAME",
    "JWT_ALGORITHM",
    "JWT_COOKIE_CSRF_PROTECT",
    "JWT_COOKIE_DOMAIN",
    "JWT_COOKIE_SAMESITE",
    "JWT_COOKIE_SECURE",
    "JWT_CSRF_CHECK_FORM",
    "JWT_CSRF_IN_COOKIES",
    "JWT_CSRF_METHODS",
    "JWT_DECODE_ALGORITHMS",
    "JWT_DECODE_AUDIENCE",
    "JWT_DECODE_ISSUER",
    "JWT_DECODE_LEEWAY",
    "JWT_ENCODE_AUDIENCE",
    "JWT_ENCODE_ISSUER",
    "JWT_ERROR_MESSAGE_KEY",
    "JWT_HEADER_NAME",
    "JWT_HEADER_TYPE",
    "JWT_IDENTITY_CLAIM",
    "JWT_JSON_KEY",
    "JWT_PRIVATE_KEY",
    "JWT_PUBLIC_KEY",
    "JWT_QUERY_STRING_NAME",
    "JWT_QUERY_STRING_VALUE_PREFIX",
    "JWT_REFRESH_COOKIE_NAME",
    "JWT_REFRESH_COOKIE_PATH",
    "JWT_REFRESH_CSRF_COOKIE_NAME",
    "JWT_REFRESH_CSRF_COOKIE_PATH",
    "JWT_REFRESH_CSRF_FIELD_NAME",
    "JWT_REFRESH_CSRF_HEADER_NAME",
    "JWT_REFRESH_JSON_KEY",
    "JWT_REFRESH_TOKEN_EXPIRES",
    "JWT_SECRET_KEY",
    "JWT_SESSION_COOKIE",
    "JWT_TOKEN_LOCATION",
    "JWT_VERIFY_SUB",
    "JWT_ENCODE_NBF",
];

/// The settings that a row is about, and what it says of them.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    let cells = |line: &'static str| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ");
    TABLE.lines().filter_map(cells)
}

#[test]
fn every_setting_of_simple_jwt_has_a_row_of_its_own() {
    for setting in SIMPLE_JWT {
        let name = format!("`{setting}`");
        let found: Vec<_> = rows().filter(|(of, _)| *of == name).collect();
        let [(_, equivalent)] = found[..] else { panic!("{setting} has {} rows", found.len()) };
        assert!(equivalent.len() > 3, "{setting}: {equivalent}");
    }
}

#[test]
fn every_option_of_flask_jwt_extended_is_in_one_row() {
    for option in FLASK_JWT_EXTENDED {
        let name = format!("`{option}`");
        let found = rows().filter(|(of, _)| of.split(", ").any(|of| of == name)).count();
        assert_eq!(found, 1, "{option}");
    }
}
