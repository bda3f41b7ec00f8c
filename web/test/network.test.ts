import { expect, test } from "vitest";
import { isNetwork } from "../src/admin/network";

test("networks are told from the ids of users", () => {
  for (const network of ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "::1", "2001:db8:1:2:3:4:5:6"])
    expect(isNetwork(network), network).toBe(true);
  for (const user of ["ada", "usr_0123", "ada@example.org", "10.0", "a:b", "https://issuer.example/ada", "v1.2.3.4"])
    expect(isNetwork(user), user).toBe(false);
});
