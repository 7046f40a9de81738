import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The host passes /api on to previewd, so that its page and the API are one origin. */
const previewd = process.env.PREVIEWD_URL ?? "http://127.0.0.1:3000";

export default defineConfig({ plugins: [react()], server: { proxy: { "/api": previewd } } });
