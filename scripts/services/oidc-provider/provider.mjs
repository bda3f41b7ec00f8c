// An OpenID Connect provider for tests: the certified one of npm, in memory, with its development pages, where any login is
// somebody's and any password is right. What it says of somebody follows from the login:
//
//   LOGIN              sub LOGIN, name Login, LOGIN@example.org, proved
//   unproved-LOGIN     the same with an address that is not proved
//
// node provider.mjs PORT; QUIRE_OIDC_BACK are the addresses that it sends people back to, with spaces between them.
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const back = (process.env.QUIRE_OIDC_BACK ?? "http://127.0.0.1:9/v1/auth/oidc/real/callback").split(" ");

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "quire", client_secret: "quire-test-secret", redirect_uris: back },
    { client_id: "quire-public", token_endpoint_auth_method: "none", redirect_uris: back },
  ],
  cookies: { keys: ["for tests alone"] },
  claims: { email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  findAccount: (_ctx, login) => ({
    accountId: login,
    claims: () => ({
      sub: login,
      name: login[0].toUpperCase() + login.slice(1),
      email: `${login}@example.org`,
      email_verified: !login.startsWith("unproved-"),
    }),
  }),
});

provider.listen(port, "127.0.0.1");
