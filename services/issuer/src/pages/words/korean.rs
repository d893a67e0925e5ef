use std::time::Duration;

use super::{
    ConsentWords, ErrorText, ErrorWords, FirstAdministratorWords, FormPostWords, LogInWords, LogOutWords,
    SessionWords, SignedOutWords, Unit, Words, around, rounded_down, rounded_up,
};

/// A name is followed by a noun (앱, 계정, 서비스) wherever a particle follows: 이 or 가, 을 or 를 depend on the sound
/// before them, which nobody knows of a name.
pub(super) const WORDS: Words = Words {
    problem: "문제 발생",
    username: "사용자 이름",
    password: "비밀번호",
    sign_in: "로그인",
    sign_out: "로그아웃",
    cancel: "취소",
    signed_in_as: around("", " 계정으로 로그인되어 있습니다."),
    too_many: |wait| format!("시도 횟수가 너무 많습니다. {wait} 후에 다시 시도해 주세요."),
    length: |length| {
        let (count, unit) = rounded_up(length);
        counted(count, unit)
    },
    ago: |length: Duration| {
        rounded_down(length)
            .map_or_else(|| "방금 전".to_owned(), |(count, unit)| counted(count, unit) + " 전")
    },
    log_in: LogInWords {
        purpose: around("", " 앱으로 계속하려면 로그인해 주세요."),
        own: "내 세션을 확인하고 종료하려면 로그인해 주세요.",
        again_title: "본인 확인",
        again_for: around("", " 앱에서 비밀번호를 다시 확인하려고 합니다."),
        wrong: "사용자 이름과 비밀번호가 일치하지 않습니다. 두 항목을 확인한 후 다시 시도해 주세요. 비밀번호를 잊으셨다면 \
                관리자에게 새 비밀번호를 요청해 주세요.",
        stopped: "이 사용자 이름으로 잘못된 비밀번호가 너무 많이 입력되어, 기다려도 다시 시도할 수 없습니다. 다시 로그인할 수 있도록 \
                  관리자에게 요청해 주세요.",
        busy: "지금 로그인하는 사용자가 많아 비밀번호를 확인하지 못했습니다. 몇 초 후에 다시 시도해 주세요.",
        unavailable: "지금은 로그인할 수 없습니다. 비밀번호 문제가 아니니 1분 후에 다시 시도해 주세요.",
        stale: "페이지를 너무 오래 열어 두어 입력하신 내용을 확인하지 않았습니다. 다시 로그인해 주세요.",
    },
    consent: ConsentWords {
        title: "접근 허용",
        asks: around("", " 앱이 내 계정을 사용하도록 허용할까요?"),
        will: "허용하면 이 앱에서 다음 작업을 할 수 있습니다.",
        openid: "계정 식별자로 본인 여부 확인",
        profile: "이름을 비롯한 프로필 보기",
        email: "이메일 주소 보기",
        roles: "내 역할 보기",
        groups: "내가 속한 그룹 보기",
        offline_access: "자리를 비운 동안에도 로그아웃할 때까지 접근 유지",
        acts: around("", " 서비스에서 나를 대신해 작업"),
        allow: "허용",
        deny: "허용 안 함",
        returns: around("선택한 후에는 ", " 사이트로 돌아갑니다."),
        ends: "세션이 종료되면 이 접근 권한도 함께 종료됩니다.",
    },
    log_out: LogOutWords {
        title: "로그아웃할까요?",
        clients: "다음 앱에서도 함께 로그아웃됩니다.",
        stay: "로그인 상태 유지",
    },
    signed_out: SignedOutWords {
        title: "로그아웃 완료",
        text: "로그아웃되었습니다.",
        next: "이제 이 창을 닫으셔도 됩니다. 다른 사람과 함께 쓰는 기기라면 브라우저도 종료해 주세요.",
        go: around("", " 앱으로 이동"),
    },
    sessions: SessionWords {
        title: "내 세션",
        advice: "모르는 세션이 있다면 종료하고 관리자에게 알려 주세요. 비밀번호가 유출되었을 수 있습니다.",
        current: "현재 세션",
        unknown_device: "알 수 없는 기기",
        used: around("", " 사용"),
        signed_in: around("", " 로그인"),
        clients: "사용한 앱:",
        end: "세션 종료",
        end_others: "다른 세션 모두 종료",
        alone: "다른 곳에서는 로그인되어 있지 않습니다.",
        ended: "세션을 종료했습니다. 앱에서는 1분 안에 접근이 차단됩니다.",
        others_ended: "다른 세션을 모두 종료했습니다. 앱에서는 1분 안에 접근이 차단됩니다.",
        allowed: "내가 허용한 앱",
        allowed_since: around("", " 허용"),
        take_back: "허용 취소",
        taken_back: "허용을 취소했습니다. 이 앱은 새로운 권한을 받을 수 없으며, 이미 받은 권한은 곧 만료됩니다.",
    },
    first_administrator: FirstAdministratorWords {
        title: "첫 관리자 만들기",
        intro: "첫 관리자의 사용자 이름과 비밀번호를 정해 주세요. 이 링크는 한 번만 사용할 수 있습니다.",
        hint: |min| {
            format!("{min}자 이상 입력해 주세요. 서로 관련 없는 단어를 여러 개 이어 붙이면 좋습니다.")
        },
        again: "비밀번호 확인",
        create: "관리자 만들기",
        username: "사용할 수 없는 사용자 이름입니다. 눈에 보이는 문자로 1~128자를 입력해 주세요.",
        username_taken: "이미 사용 중인 사용자 이름입니다. 다른 이름을 입력해 주세요.",
        password_short: |min| format!("비밀번호가 너무 짧습니다. {min}자 이상 입력해 주세요."),
        password_long: "비밀번호가 너무 깁니다. 1024바이트 이하로 입력해 주세요.",
        password_common: "추측하기 쉬운 비밀번호입니다. 널리 쓰이거나 이름이 들어 있으니 다른 비밀번호를 입력해 주세요.",
        password_characters: "비밀번호에 사용할 수 없는 문자가 있습니다. 그 문자를 빼고 입력해 주세요.",
        different: "비밀번호가 서로 다릅니다. 두 칸에 같은 비밀번호를 입력해 주세요.",
        unavailable: "관리자를 만들지 못했으며 변경된 내용은 없습니다. 1분 후에 다시 시도해 주세요.",
        made_title: "준비 완료",
        made: "첫 관리자를 만들었습니다.",
        made_name: around(
            "이제 ",
            " 계정으로 로그인해 주세요. 이 페이지로 온 링크는 더 이상 사용할 수 없습니다.",
        ),
    },
    form_post: FormPostWords {
        title: "잠시만 기다려 주세요",
        text: around("", " 앱으로 돌아가는 중입니다."),
        go: "계속",
        hint: "화면이 바뀌지 않으면 ‘계속’을 눌러 주세요.",
    },
    errors: ErrorWords {
        code: "오류 코드:",
        reference: "참조 번호:",
        unknown_client: ErrorText {
            title: "등록되지 않은 앱",
            happened: "이 페이지로 보낸 앱이 등록되어 있지 않거나 사용이 중지되었습니다.",
            next: "회원님의 잘못이 아닙니다. 앱으로 돌아가 앱 담당자에게 로그인이 되지 않는다고 알려 주세요.",
        },
        redirect_uri: ErrorText {
            title: "안전하게 돌아갈 수 없음",
            happened: "앱이 등록되지 않은 주소로 이동하도록 요청했습니다. 회원님을 보호하기 위해 이동하지 않았습니다.",
            next: "메시지나 모르는 사람이 보낸 링크로 들어왔다면 이 페이지를 닫아 주세요. 앱에서 바로 왔다면 앱 담당자에게 \
                   알려 주세요. 리디렉션 URI는 보내는 값과 똑같이 등록되어 있어야 합니다.",
        },
        post_logout_redirect_uri: ErrorText {
            title: "안전하게 돌아갈 수 없음",
            happened: "앱이 로그아웃 후 등록되지 않은 주소로 이동하도록 요청했습니다.",
            next: "아직 로그인되어 있습니다. 내 세션 페이지에서 로그아웃하고 앱 담당자에게 알려 주세요. 로그아웃 후 리디렉션 \
                   URI는 보내는 값과 똑같이 등록되어 있어야 합니다.",
        },
        malformed: ErrorText {
            title: "요청을 이해할 수 없음",
            happened: "이 페이지로 온 주소에 빠진 값이 있거나 같은 값이 두 번 들어 있습니다.",
            next: "앱으로 돌아가 다시 로그인해 주세요. 문제가 계속되면 앱 담당자에게 알려 주세요.",
        },
        expired: ErrorText {
            title: "만료된 페이지",
            happened: "페이지를 너무 오래 열어 두었거나 이미 사용했습니다. 변경된 내용은 없습니다.",
            next: "앱으로 돌아가 다시 로그인해 주세요.",
        },
        forged: ErrorText {
            title: "다시 시도해 주세요",
            happened: "이 브라우저에서 연 페이지에서 보낸 내용이 아니어서 아무 작업도 하지 않았습니다.",
            next: "이 사이트의 쿠키를 허용한 후 앱으로 돌아가 처음부터 다시 시작해 주세요.",
        },
        link: ErrorText {
            title: "사용할 수 없는 링크",
            happened: "이 링크는 짧은 시간 동안 한 번만 사용할 수 있습니다. 이미 사용했거나 시간이 지났습니다.",
            next: "링크를 보낸 사람에게 새 링크를 요청해 주세요.",
        },
        not_found: ErrorText {
            title: "페이지를 찾을 수 없음",
            happened: "이 주소에는 페이지가 없습니다.",
            next: "주소를 확인하거나 이용하던 앱으로 돌아가 주세요.",
        },
        unavailable: ErrorText {
            title: "잠시 이용할 수 없음",
            happened: "지금은 로그인할 수 없습니다. 세션과 비밀번호에는 영향이 없습니다.",
            next: "1분 후에 이 페이지를 새로고침해 주세요.",
        },
        internal: ErrorText {
            title: "오류가 발생했습니다",
            happened: "회원님의 잘못이 아니라 저희 쪽의 오류입니다.",
            next: "이전 페이지로 돌아가 다시 시도해 주세요. 문제가 계속되면 관리자에게 오류 코드와 시각을 알려 주세요.",
        },
    },
};

fn counted(count: u64, unit: Unit) -> String {
    let name = match unit {
        Unit::Second => "초",
        Unit::Minute => "분",
        Unit::Hour => "시간",
        Unit::Day => "일",
    };
    format!("{count}{name}")
}
