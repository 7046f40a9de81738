import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a server: `previewd serve` on its default address. */
const api = process.env.PREVIEWD_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react(), brotli()],
  css: { modules: { generateScopedName: "pv-[name]-[local]" } },
  build: { target: "es2022", assetsInlineLimit: 0 },
  server: { proxy: { "/api": api, "/healthz": api } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});

/** Puts a compressed copy beside each text asset: the server sends it to those who take it. */
function brotli(): Plugin {
  return {
    name: "previewd-brotli",
    apply: "build",
    writeBundle({ dir = "dist" }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue;
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(readFileSync(join(dir, name))));
      }
    },
  };
}
