import { render } from "preact";
import "./styles/fonts.css";

const root = document.getElementById("app");
if (root) render(<main />, root);
