import { createRoot } from "react-dom/client";
import { Host } from "./Host";
import "@previewd/react/styles.css";
import "./host.css";

const root = document.getElementById("root");
if (root) createRoot(root).render(<Host />);
