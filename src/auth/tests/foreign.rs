//! Keys and tokens of another issuer.

use super::*;

#[tokio::test]
async fn keys_of_another_issuer_take_their_own_algorithm_and_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let (stranger, late) = (Stranger::new("one", 1), Stranger::new("two", 2));
    let elliptic = rcgen::KeyPair::generate().unwrap();
    let point = elliptic.public_key_raw();
    let coordinate = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let ec = json!({
        "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
        "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
    });
    // A symmetric key is none that may be published, one for encryption signs nothing, and one that is cut off would fail hard.
    let oct = json!({ "kty": "oct", "kid": "oct", "k": coordinate(b"known to everybody, this one") });
    let mut for_encryption = late.jwk();
    for_encryption["use"] = json!("enc");
    let cut = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "cut", "x": "AAAA" });
    let set = json!({ "keys": [stranger.jwk(), ec, oct, for_encryption, cut, { "kty": "unheard of" }] });
    std::fs::write(&file, set.to_string()).unwrap();
    let keys = Arc::new(ForeignKeys::new(Source::File(file.clone())));
    let expected = Expected {
        issuer: Some("https://id.example".to_owned()),
        audience: Some("docs".to_owned()),
        id: "uid".to_owned(),
        admin: "docs_admin".to_owned(),
        ..Expected::default()
    };
    let bench = Bench::with(Some(keys.clone()), expected).await;
    let good = json!({
        "iss": "https://id.example", "aud": ["wiki", "docs"], "sub": "x", "uid": "ada", "name": "Ada",
        "docs_admin": true, "exp": bench.seconds() + 60,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let bearer = bench.auth.tokens.verify(&stranger.sign(Some("one"), &good)).unwrap();
    assert_eq!((bearer.user.as_str(), bearer.name.as_deref(), bearer.admin), ("ada", Some("Ada"), true));
    assert!(bench.auth.tokens.verify(&stranger.sign(None, &good)).is_ok(), "the only one of its kind");
    let header = Header { kid: Some("ec".to_owned()), ..Header::new(Algorithm::ES256) };
    let signed = encode(&header, &good, &EncodingKey::from_ec_der(&elliptic.serialize_der())).unwrap();
    assert!(bench.auth.tokens.verify(&signed).is_ok());

    for (claims, why) in [
        (with("iss", json!("https://evil.example")), "iss"),
        (with("aud", json!("wiki")), "aud"),
        (with("aud", Value::Null), "aud"),
        (with("uid", json!("usr_ada")), "sub"),
        (with("uid", json!("guest:rest")), "sub"),
        (with("uid", Value::Null), "sub"),
        (with("exp", json!(bench.seconds())), "expired"),
        (with("nbf", json!(bench.seconds() + 9)), "not valid yet"),
        (with("nbf", json!("soon")), "cannot be read"),
    ] {
        bench.refused(&stranger.sign(Some("one"), &claims), why);
        bench.refused(&hs256(None, SECRET.as_bytes(), &claims), why);
    }
    assert!(
        !bench.auth.tokens.verify(&stranger.sign(None, &with("docs_admin", json!("true")))).unwrap().admin
    );
    bench.refused(&stranger.sign(Some("ec"), &good), "does not know");
    bench.refused(&hs256(Some("oct"), b"known to everybody, this one", &good), "signature");
    bench.refused(&hs256(Some("one"), stranger.x().as_bytes(), &good), "signature");
    bench.refused(&unsigned(&good), "cannot be read");
    bench.refused(&late.sign(Some("two"), &good), "does not know");

    // The issuer has a new key, and the old one has gone.
    std::fs::write(&file, json!({ "keys": [late.jwk()] }).to_string()).unwrap();
    keys.refresh().unwrap();
    assert!(bench.auth.tokens.verify(&late.sign(Some("two"), &good)).is_ok());
    bench.refused(&stranger.sign(Some("one"), &good), "does not know");
    // What cannot be read changes nothing.
    for rubbish in ["", "{}", r#"{"keys":[]}"#] {
        std::fs::write(&file, rubbish).unwrap();
        assert!(keys.refresh().is_err(), "{rubbish}");
    }
    assert!(bench.auth.tokens.verify(&late.sign(Some("two"), &good)).is_ok());
}

#[test]
fn keys_do_not_come_over_the_network_in_the_clear() {
    for good in ["https://id.example/keys", "http://127.0.0.1:1/keys", "http://localhost/keys"] {
        assert!(Source::url(good, None).is_ok(), "{good}");
    }
    for bad in ["http://id.example/keys", "ftp://id.example/", "id.example", ""] {
        assert!(Source::url(bad, None).is_err(), "{bad}");
    }
}

#[test]
fn keys_come_over_tls_from_who_proves_to_be_the_issuer() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [ca, stranger] = ["ca.pem", "stranger.pem"].map(|name| folder.path().join(name));
    std::fs::write(&ca, signed.cert.pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&stranger, other.cert.pem()).unwrap();
    let set = json!({ "keys": [Stranger::new("one", 1).jwk()] }).to_string();
    let port = serve_once_and_again(signed, set);
    let url = format!("https://localhost:{port}/keys");
    let read = |authority: &std::path::Path| {
        let keys = ForeignKeys::new(Source::url(&url, Some(authority)).unwrap());
        keys.refresh().map(|()| keys.find(Some("one"), Algorithm::EdDSA).is_some())
    };
    assert!(read(&ca).unwrap());
    assert!(read(&stranger).is_err());
}

/// Answers every request over TLS with this body, until the test ends; returns the port.
fn serve_once_and_again(signed: rcgen::CertifiedKey<rcgen::KeyPair>, body: String) -> u16 {
    use std::io::{Read as _, Write as _};

    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            // Whoever does not trust the certificate hangs up.
            if stream.read(&mut [0; 4_096]).is_ok() {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}
