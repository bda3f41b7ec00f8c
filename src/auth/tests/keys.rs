//! Keys of this server's own, and tokens that pretend to be signed with them.

use super::*;

#[tokio::test]
async fn a_key_signs_for_its_period_and_verifies_until_its_last_token_has_ended() {
    let bench = Bench::new().await;
    bench.register().await;
    let kid = |token: &str| header_of(token)["kid"].as_str().unwrap().to_owned();
    let published = || {
        let keys = bench.auth.jwks()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = bench.sign_in().await.access_token;
    assert_eq!(published(), [kid(&first)]);
    bench.keys().refresh().await.unwrap();
    assert_eq!(published().len(), 1);

    // Some minutes before it is needed, the next one is published, and does not sign.
    bench.wait(DAY - 5 * 60_000);
    bench.keys().refresh().await.unwrap();
    let last = bench.sign_in().await.access_token;
    assert_eq!((published().len(), kid(&last)), (2, kid(&first)));
    bench.wait(5 * 60_000);
    let next = bench.sign_in().await.access_token;
    assert_ne!(kid(&next), kid(&first));
    bench.keys().refresh().await.unwrap();

    bench.wait(54 * 60_000);
    bench.refused(&first, "expired");
    for good in [&last, &next] {
        assert_eq!(bench.auth.tokens.verify(good).unwrap().name.as_deref(), Some("ada"));
    }
    bench.wait(7 * 60_000);
    bench.refused(&last, "key that this server does not know");
    bench.keys().refresh().await.unwrap();
    assert_eq!(published(), [kid(&next)]);
}

#[tokio::test]
async fn another_server_of_the_same_database_knows_the_keys() {
    let bench = Bench::new().await;
    bench.register().await;
    let token = bench.sign_in().await.access_token;
    let other = bench.another().await;
    assert!(other.tokens.verify(&token).is_ok());
    assert_eq!(other.jwks(), bench.auth.jwks());
    // What the one ends, the other hears of.
    let bearer = bench.auth.tokens.verify(&token).unwrap();
    bench.accounts().end_sign_in(&bearer.user, bearer.credential().unwrap()).await.unwrap();
    bench.refused(&token, "revoked");
    assert!(other.tokens.verify(&token).is_ok());
    let before = other.revoked.generation().load(Ordering::Relaxed);
    other.revoked.refresh(&*bench.store, NOW).await.unwrap();
    assert!(other.tokens.verify(&token).is_err());
    assert_ne!(other.revoked.generation().load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn forged_tokens_of_this_server_are_refused() {
    let bench = Bench::new().await;
    let good = json!({
        "iss": "quire", "aud": "quire", "sub": "usr_ada", "sid": "s", "name": "Ada", "exp": bench.seconds() + 60,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let sign = |claims: &Value| bench.keys().sign(claims).unwrap();
    let token = sign(&good);
    assert_eq!(bench.auth.tokens.verify(&token).unwrap().user.as_str(), "usr_ada");
    bench.refused(&sign(&with("exp", json!(bench.seconds()))), "expired");
    bench.refused(&sign(&with("exp", Value::Null)), "cannot be read");
    bench.refused(&sign(&with("nbf", json!(bench.seconds() + 1))), "not valid yet");
    bench.refused(&sign(&with("iss", json!("another"))), "not for this server");
    bench.refused(&sign(&with("aud", json!(["another"]))), "not for this server");
    bench.refused(&sign(&with("sub", json!("ada"))), "sub");
    bench.refused(&sign(&with("sid", Value::Null)), "sid");
    bench.refused(&unsigned(&good), "cannot be read");

    let kid = header_of(&token)["kid"].as_str().unwrap().to_owned();
    // The public key, which everybody has, as if it were a shared secret.
    let public = bench.auth.jwks()["keys"][0]["x"].as_str().unwrap().to_owned();
    for secret in [public.as_bytes(), &BASE64URL_NOPAD.decode(public.as_bytes()).unwrap()] {
        bench.refused(&hs256(Some(&kid), secret, &good), "signature");
    }
    // Another key under the same name, the same one under another, and none.
    let stranger = Stranger::new("x", 7);
    bench.refused(&stranger.sign(Some(&kid), &good), "signature");
    bench.refused(&stranger.sign(Some("x"), &good), "does not know");
    bench.refused(&stranger.sign(None, &good), "does not know");
    // One letter of the claims.
    let parts: Vec<_> = token.split('.').collect();
    let claims = BASE64URL_NOPAD.encode(with("admin", json!(true)).to_string().as_bytes());
    bench.refused(&format!("{}.{claims}.{}", parts[0], parts[2]), "signature");
    // The shared secret is for others' users.
    bench.refused(&hs256(None, SECRET.as_bytes(), &good), "sub");
    for rubbish in ["", ".", "..", "a.b.c", "qk_", "qk_AAAA", &"x".repeat(100_000)] {
        assert!(bench.auth.tokens.verify(rubbish).is_err(), "{rubbish:.20}");
    }
}
