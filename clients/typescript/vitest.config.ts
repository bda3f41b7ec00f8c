import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // That one needs a server: npm run test:real.
    exclude: [...configDefaults.exclude, "test/real-server.test.ts"],
  },
});
