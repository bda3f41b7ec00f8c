import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["test/real-server.test.ts"] } });
