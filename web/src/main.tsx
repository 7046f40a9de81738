import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { adoptTokenOfAddress } from "./app/session";
import "./shared/styles/tokens.css";
import "./app/page.css";

adoptTokenOfAddress(window.location, window.history);
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
