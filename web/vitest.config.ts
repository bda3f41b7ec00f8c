import { defineConfig } from "vitest/config";

/** The client's sources, as in the pages. */
const conditions = ["@quire/source"];

export default defineConfig({
  test: { include: ["test/**/*.test.ts"] },
  resolve: { conditions },
  ssr: { resolve: { conditions } },
});
