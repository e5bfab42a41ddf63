import { expect, test } from "vitest";
import { blocks } from "../src/parts/markdown.tsx";

test("a report is cut into blocks", () => {
  const got = blocks(
    "# Title\n\nA line\nand more.\n\n- one\n  goes on\n- two\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n\n![curve](loss.svg)\n```\nx | y\n```\n",
  );
  expect(got).toEqual([
    { kind: "head", level: 1, text: "Title" },
    { kind: "para", text: "A line and more." },
    { kind: "list", items: ["one goes on", "two"] },
    { kind: "table", head: ["a", "b"], rows: [["1", "2"]] },
    { kind: "code", text: "x | y" },
  ]);
});

test("whatever it gets, it ends and keeps the words", () => {
  for (const text of ["|", "| a |", "- ", "```", "#", "####### x", "![", "* a\n|b", "   ", "|---|\n|---|", "a\n# b\n| c"]) {
    const words = JSON.stringify(blocks(text));
    for (const w of text.match(/[a-c]/g) ?? []) expect(words).toContain(w);
  }
});
