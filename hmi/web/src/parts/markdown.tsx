// The small part of Markdown that our own reports use, drawn as elements: no
// text of a report ever becomes markup.

import type { JSX } from "preact";

type Block =
  | { kind: "head"; level: number; text: string }
  | { kind: "para"; text: string }
  | { kind: "list"; items: string[] }
  | { kind: "table"; head: string[]; rows: string[][] }
  | { kind: "code"; text: string };

/** blocks cuts a text into what can be drawn. Pictures are left out: the file has them. */
export function blocks(text: string): Block[] {
  const out: Block[] = [];
  const lines = text.split("\n");
  let i = 0;
  const cells = (line: string) =>
    line
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((c) => c.trim());
  while (i < lines.length) {
    const line = (lines[i] ?? "").trimEnd();
    const head = /^(#{1,4}) (.*)$/.exec(line);
    if (line === "" || /^!\[.*\]\(.*\)$/.test(line)) {
      i++;
    } else if (head) {
      out.push({ kind: "head", level: (head[1] ?? "#").length, text: head[2] ?? "" });
      i++;
    } else if (line.startsWith("```")) {
      const code: string[] = [];
      for (i++; i < lines.length && !(lines[i] ?? "").startsWith("```"); i++) code.push(lines[i] ?? "");
      out.push({ kind: "code", text: code.join("\n") });
      i++;
    } else if (line.startsWith("|") && /^\|?[\s:|-]+\|?$/.test(lines[i + 1] ?? "") && (lines[i + 1] ?? "").includes("-")) {
      const rows: string[][] = [];
      const top = cells(line);
      for (i += 2; i < lines.length && (lines[i] ?? "").startsWith("|"); i++) rows.push(cells(lines[i] ?? ""));
      out.push({ kind: "table", head: top, rows });
    } else if (/^[-*] /.test(line)) {
      const items: string[] = [];
      for (; i < lines.length && /^([-*] | {2,}\S)/.test(lines[i] ?? ""); i++) {
        const l = lines[i] ?? "";
        if (/^[-*] /.test(l)) items.push(l.slice(2));
        else items[items.length - 1] += ` ${l.trim()}`;
      }
      out.push({ kind: "list", items });
    } else {
      const para: string[] = [];
      for (; i < lines.length && (lines[i] ?? "").trim() !== "" && !/^(#|\||```|[-*] |!\[)/.test(lines[i] ?? ""); i++)
        para.push((lines[i] ?? "").trim());
      if (para.length === 0) para.push((lines[i++] ?? "").trim());
      out.push({ kind: "para", text: para.join(" ") });
    }
  }
  return out;
}

/** Inline draws **strong** and `code`. */
function Inline(props: { text: string }): JSX.Element {
  const parts = props.text.split(/(\*\*[^*]+\*\*|`[^`]+`)/);
  return (
    <>
      {parts.map((p, i) => {
        // biome-ignore-start lint/suspicious/noArrayIndexKey: parts of one text
        if (p.startsWith("**")) return <strong key={i}>{p.slice(2, -2)}</strong>;
        if (p.startsWith("`")) return <code key={i}>{p.slice(1, -1)}</code>;
        // biome-ignore-end lint/suspicious/noArrayIndexKey: parts of one text
        return p;
      })}
    </>
  );
}

/** Markdown is a report in English, as the trainer wrote it. */
export function Markdown(props: { text: string }): JSX.Element {
  return (
    <bdi dir="ltr" lang="en" class="markdown">
      {blocks(props.text).map((b, i) => {
        // biome-ignore-start lint/suspicious/noArrayIndexKey: the text never changes
        switch (b.kind) {
          case "head":
            return (
              <p key={i} class={`md-head md-${b.level}`}>
                <Inline text={b.text} />
              </p>
            );
          case "list":
            return (
              <ul key={i}>
                {b.items.map((x, k) => (
                  <li key={k}>
                    <Inline text={x} />
                  </li>
                ))}
              </ul>
            );
          case "table":
            return (
              // biome-ignore lint/a11y/noNoninteractiveTabindex: a table that is wider than the page scrolls by the keyboard too
              <section key={i} class="md-scroll" tabIndex={0} aria-label={b.head.join(", ")}>
                <table>
                  <thead>
                    <tr>
                      {b.head.map((c, k) => (
                        <th key={k} scope="col">
                          <Inline text={c} />
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {b.rows.map((r, k) => (
                      <tr key={k}>
                        {r.map((c, n) => (
                          <td key={n}>
                            <Inline text={c} />
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </section>
            );
          case "code":
            return <pre key={i}>{b.text}</pre>;
          default:
            return (
              <p key={i}>
                <Inline text={b.text} />
              </p>
            );
        }
        // biome-ignore-end lint/suspicious/noArrayIndexKey: the text never changes
      })}
    </bdi>
  );
}
