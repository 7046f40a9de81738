import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a server: `previewd serve` on its default address. */
const api = process.env.PREVIEWD_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  css: { modules: { generateScopedName: "pv-[name]-[local]" } },
  build: { target: "es2022", assetsInlineLimit: 0, reportCompressedSize: true },
  server: { proxy: { "/api": api, "/healthz": api } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
