//! Signing in, second factors, passwords.

use super::*;

#[tokio::test]
async fn whom_a_provider_signs_in_proves_it_by_a_fresh_sign_in() {
    let bench = Bench::new().await;
    let own = bench.register().await;
    let theirs = User {
        id: UserId("usr_1".into()),
        issuer: "https://id.example".to_owned(),
        subject: "1".to_owned(),
        ..own.clone()
    };
    bench.store.create_user(&theirs, None).await.unwrap();
    let sign_in = async || {
        let signed_in = bench.accounts().begin_sign_in(&peer(), theirs.clone()).await.unwrap();
        bench.auth.tokens.verify(&signed_in.access_token).unwrap().credential().unwrap().to_string()
    };
    let prove = async |user: &User, sign_in: &str, password: &str| {
        bench.accounts().prove_anew(&user.id, sign_in, password, "").await.map_err(|why| why.code)
    };
    let first = sign_in().await;
    bench.wait(second::FRESH);
    assert_eq!(prove(&theirs, &first, "").await, Ok(()));
    bench.wait(1);
    assert_eq!(prove(&theirs, &first, "").await, Err(ErrorCode::Forbidden));
    let second = sign_in().await;
    assert_eq!(prove(&theirs, &second, "").await, Ok(()));
    assert_eq!(prove(&theirs, &first, "").await, Err(ErrorCode::Forbidden), "another one's being fresh");
    assert_eq!(prove(&theirs, "none", "").await, Err(ErrorCode::Forbidden));
    bench.accounts().end_sign_in(&theirs.id, &second).await.unwrap();
    assert_eq!(prove(&theirs, &second, "").await, Err(ErrorCode::Forbidden));
    // Who has a password gives it, however fresh the sign-in is.
    let own_sign_in = bench.sign_in().await;
    let id = bench.auth.tokens.verify(&own_sign_in.access_token).unwrap().credential().unwrap().to_string();
    assert_eq!(prove(&own, &id, "").await, Err(ErrorCode::Forbidden));
    assert_eq!(prove(&own, &id, PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn a_code_of_the_second_factor_is_taken_once() {
    let bench = Bench::new().await;
    let user = bench.register().await;
    let wrong = bench.accounts().enrol_totp(&user.id, "wrong horse").await;
    assert_eq!(wrong.err().map(|why| why.code), Some(ErrorCode::Forbidden));
    let enrolment = bench.accounts().enrol_totp(&user.id, PASSWORD).await.unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(enrolment.secret.as_bytes()).unwrap();
    let code = |at: Millis| totp::code(&secret, at / 30_000).unwrap();
    assert!(bench.accounts().confirm_totp(&user.id, "000000x").await.is_err());
    // Not asked for before it was shown to work.
    bench.sign_in().await;
    let now = NOW;
    let recovery = bench.accounts().confirm_totp(&user.id, &code(now)).await.unwrap();

    let sign_in = async |code: Option<&str>| bench.accounts().sign_in(&peer(), EMAIL, PASSWORD, code).await;
    let wanted = async |code: Option<&str>| matches!(sign_in(code).await, Err(SignInError::SecondFactor(_)));
    assert!(wanted(None).await);
    assert!(wanted(Some(&code(now))).await, "the one that has confirmed it");
    bench.wait(60_000);
    let next = code(now + 60_000);
    sign_in(Some(&next)).await.unwrap();
    assert!(wanted(Some(&next)).await, "used");
    sign_in(Some(&recovery[0])).await.unwrap();
    assert!(wanted(Some(&recovery[0])).await, "used");
    // With a wrong password nothing is said of it.
    let wrong = bench.accounts().sign_in(&peer(), EMAIL, "wrong horse", Some(&recovery[1])).await;
    assert!(matches!(wrong, Err(SignInError::Refused(_))));
    sign_in(Some(&recovery[1])).await.unwrap();
    assert!(bench.accounts().remove_totp(&user.id, PASSWORD, "000000").await.is_err());
    bench.accounts().remove_totp(&user.id, PASSWORD, &recovery[2]).await.unwrap();
    bench.sign_in().await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_once_and_within_an_hour() {
    let bench = Bench::new().await;
    bench.register().await;
    let signed_in = bench.sign_in().await;
    let forget = async || {
        bench.accounts().forget_password(&peer(), "ADA@example.org ").unwrap();
        let mail = bench.mail().await;
        assert!(mail.starts_with("To: ada@example.org\r\n"), "{mail}");
        let (_, rest) = mail.split_once("https://docs.example/reset#").expect("a link");
        rest.lines().next().unwrap().trim().to_owned()
    };
    let reset = async |token: &str| bench.accounts().reset_password(&peer(), token, "another horse").await;
    let (old, new) = (forget().await, forget().await);
    assert!(reset(&old).await.is_err(), "there is a newer one");
    let short = bench.accounts().reset_password(&peer(), &new, "short").await;
    assert_eq!(short.err().map(|why| why.code), Some(ErrorCode::BadRequest));
    reset(&new).await.unwrap();
    assert_eq!(reset(&new).await.err().map(|why| why.code), Some(ErrorCode::Unauthorized));
    bench.refused(&signed_in.access_token, "revoked");
    assert!(bench.accounts().sign_in(&peer(), EMAIL, PASSWORD, None).await.is_err());
    bench.accounts().sign_in(&peer(), EMAIL, "another horse", None).await.unwrap();
    let late = forget().await;
    bench.wait(HOUR);
    assert!(reset(&late).await.is_err());
}

#[tokio::test]
async fn too_many_wrong_passwords_keep_everybody_out_for_a_while() {
    let bench = Bench::new().await;
    bench.register().await;
    let attempt = async |email: &str, password: &str| {
        let attempt = bench.accounts().sign_in(&peer(), email, password, None).await;
        match attempt {
            Ok(_) => None,
            Err(SignInError::Refused(why) | SignInError::SecondFactor(why)) => Some(why),
        }
    };
    for email in [EMAIL, "nobody@example.org"] {
        let mut answers = Vec::new();
        for _ in 0..7 {
            answers.push(attempt(email, "wrong horse").await.unwrap());
        }
        let codes: Vec<_> = answers.iter().map(|why| why.code).collect();
        assert_eq!(codes[..6], [ErrorCode::Unauthorized; 6], "{email}");
        assert_eq!(codes[6], ErrorCode::RateLimited, "{email}");
        assert_eq!(answers[6].retry_after_ms, Some(1_000), "{email}");
    }
    assert_eq!(attempt(EMAIL, PASSWORD).await.map(|why| why.code), Some(ErrorCode::RateLimited));
    bench.wait(1_000);
    assert!(attempt(EMAIL, PASSWORD).await.is_none());
    assert_eq!(attempt(EMAIL, "wrong horse").await.map(|why| why.code), Some(ErrorCode::Unauthorized));
}
