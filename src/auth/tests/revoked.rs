//! What is not accepted any more.

use super::*;

#[tokio::test]
async fn a_refresh_token_that_comes_again_ends_the_sign_in_and_its_access_tokens() {
    let bench = Bench::new().await;
    bench.register().await;
    let first = bench.sign_in().await;
    let second = bench.accounts().refresh(&peer(), &first.refresh_token).await.unwrap();
    assert!(bench.auth.tokens.verify(&second.access_token).is_ok());
    for dead in [&first, &second] {
        let refused = bench.accounts().refresh(&peer(), &dead.refresh_token).await;
        assert_eq!(refused.err().map(|why| why.code), Some(ErrorCode::Unauthorized));
    }
    bench.refused(&first.access_token, "revoked");
    bench.refused(&second.access_token, "revoked");
}

#[tokio::test]
async fn a_disabled_user_is_refused_everywhere() {
    let bench = Bench::new().await;
    let user = bench.register().await;
    let signed_in = bench.sign_in().await;
    let elsewhere = hs256(None, SECRET.as_bytes(), &json!({ "sub": "eve", "exp": bench.seconds() + 60 }));
    let eve = bench.auth.tokens.verify(&elsewhere).unwrap();
    assert_eq!(eve.user.as_str(), "eve");
    let eve_row =
        User { id: eve.user, issuer: "token".to_owned(), subject: "eve".to_owned(), ..user.clone() };
    bench.store.see_users(std::slice::from_ref(&eve_row)).await.unwrap();
    let disable = UserPatch { disabled_at: Some(Some(NOW)), ..UserPatch::default() };
    for id in [&user.id, &eve_row.id] {
        bench.store.patch_user(id, &disable, NOW).await.unwrap();
    }
    bench.auth.revoked.refresh(&*bench.store, NOW).await.unwrap();
    bench.refused(&signed_in.access_token, "revoked");
    bench.refused(&elsewhere, "revoked");
    assert!(bench.accounts().refresh(&peer(), &signed_in.refresh_token).await.is_err());
    // As somebody with a wrong password.
    let Err(SignInError::Refused(why)) = bench.accounts().sign_in(&peer(), EMAIL, PASSWORD, None).await
    else {
        panic!("signed in")
    };
    assert_eq!(why.message, "the address or the password is wrong");
}

#[tokio::test]
async fn who_was_erased_is_refused_with_whatever_token_was_made_before() {
    let bench = Bench::new().await;
    let token = |claims: Value| hs256(None, SECRET.as_bytes(), &claims);
    let exp = bench.seconds() + 1_000;
    let old = token(json!({ "sub": "eve", "exp": exp, "iat": bench.seconds() - 5 }));
    let undated = token(json!({ "sub": "eve", "exp": exp }));
    let (other, new) = (
        token(json!({ "sub": "bob", "exp": exp })),
        token(json!({ "sub": "eve", "exp": exp, "iat": bench.seconds() + 1 })),
    );
    for good in [&old, &undated, &new, &other] {
        bench.auth.tokens.verify(good).unwrap();
    }
    let eve = UserId("eve".into());
    let other_server = bench.another().await;
    let erasing = Erasing::new(eve.clone(), Fate::Private, NOW);
    bench.opened.people.begin_erasure(&erasing).await.unwrap();
    // The server that has done it knows it at once, another when it looks.
    bench.auth.revoked.erase(&eve, NOW);
    other_server.tokens.verify(&old).unwrap();
    let before = other_server.revoked.generation().load(Ordering::Relaxed);
    other_server.revoked.refresh(&*bench.store, NOW).await.unwrap();
    assert_ne!(other_server.revoked.generation().load(Ordering::Relaxed), before);
    for auth in [&bench.auth, &other_server] {
        for dead in [&old, &undated] {
            assert!(auth.tokens.verify(dead).unwrap_err().message.contains("revoked"));
        }
        for good in [&new, &other] {
            auth.tokens.verify(good).unwrap();
        }
    }
    // It stays known, whatever was read before that.
    bench.auth.revoked.refresh(&*bench.store, NOW).await.unwrap();
    bench.refused(&old, "revoked");
    let row = bench.store.user(&tombstone_of(&eve)).await.unwrap().unwrap();
    assert!(row.name.is_empty() && row.disabled_at == Some(NOW) && !format!("{row:?}").contains("eve"));
}
