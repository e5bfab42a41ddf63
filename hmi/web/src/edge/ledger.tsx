// What an edge has sent, held against what is stored here: class by class, with
// what is lost above all else.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import { now } from "../data/clock.ts";
import { asProblem, post } from "../data/http.ts";
import { may } from "../data/me.ts";
import type { Edge, EdgeLedger } from "../data/types.ts";
import { integer, short } from "../format.ts";
import { Rich } from "../i18n/rich.tsx";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { at, LossWords, lossText } from "./loss.tsx";

export function Ledger(props: { edge: Edge }): JSX.Element {
  const l = props.edge.ledger;
  return (
    <section class="ledger">
      <h3>{t("ledger.title")}</h3>
      {!l ? (
        <p class="muted">{t("ledger.unknown")}</p>
      ) : (
        <>
          {l.loss ? (
            <div class="unsafe" role="status">
              <strong>{t("ledger.lost")}</strong>
              <LossWords loss={l.loss} />
              <Explain edge={props.edge} />
            </div>
          ) : (
            <p class="muted">{t("ledger.fine")}</p>
          )}
          <Classes ledger={l} />
          <p class="small muted">
            {l.at && <Rich k="ledger.at" with={{ at: <Num>{short(Date.parse(l.at), now())}</Num> }} />}{" "}
            {l.since && <Rich k="ledger.since" with={{ at: <Num>{short(Date.parse(l.since), now())}</Num> }} />}
          </p>
          <Notes ledger={l} />
        </>
      )}
    </section>
  );
}

const columns = ["sent", "stored", "declared", "under_way", "lost"] as const;

function Classes(props: { ledger: EdgeLedger }): JSX.Element {
  const list = props.ledger.classes.filter((c) => c.sent > 0 || c.lost !== 0 || c.stored > 0);
  return (
    <table class="ledger-table">
      <thead>
        <tr>
          <th scope="col">{t("ledger.class")}</th>
          {columns.map((k) => (
            <th key={k} scope="col" class="number">
              {t(`ledger.${k}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {list.map((c) => (
          <tr key={c.name}>
            <th scope="row">{coded("ledger.of", c.name)}</th>
            {columns.map((k) => (
              <td key={k} class={k === "lost" && c.lost !== 0 ? "number strong" : "number"} data-label={t(`ledger.${k}`)}>
                <Num>{integer(c[k])}</Num>
                {k === "lost" && c.explained > 0 && <span class="muted small"> {t("ledger.explained", { n: c.explained })}</span>}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Explain(props: { edge: Edge }): JSX.Element {
  const open = useSignal(false);
  const note = useSignal("");
  const said = useSignal("");
  if (!may("orders")) return <p class="small muted">{t("ledger.engineers")}</p>;
  const send = async (e: Event) => {
    e.preventDefault();
    said.value = t("ack.sending");
    try {
      await post(`edges/${encodeURIComponent(props.edge.name)}/explain`, { note: note.value.trim() });
      said.value = "";
      open.value = false;
      note.value = "";
    } catch (err) {
      said.value = asProblem(err).message;
    }
  };
  return (
    <div class="decide">
      {open.value ? (
        <form onSubmit={send}>
          <p>{t("ledger.explainText")}</p>
          <div class="row">
            <label class="text-field wide">
              <span class="label">{t("ledger.note")}</span>
              <input
                type="text"
                maxLength={500}
                required
                value={note.value}
                onInput={(e) => {
                  note.value = e.currentTarget.value;
                }}
              />
            </label>
            <button type="submit" class="button primary">
              {t("ledger.explain")}
            </button>
            <button
              type="button"
              class="button"
              onClick={() => {
                open.value = false;
              }}
            >
              {t("models.cancel")}
            </button>
          </div>
        </form>
      ) : (
        <p class="buttons">
          <button
            type="button"
            class="button compact"
            onClick={() => {
              open.value = true;
              said.value = "";
            }}
          >
            {t("ledger.explain")}
          </button>
        </p>
      )}
      <p role="status">{said.value}</p>
    </div>
  );
}

function Notes(props: { ledger: EdgeLedger }): JSX.Element | null {
  const list = props.ledger.notes;
  if (list.length === 0) return null;
  return (
    <details class="plc-more">
      <summary>{t("ledger.notes", { n: list.length })}</summary>
      <ul>
        {list.map((n) => (
          <li key={n.at}>
            <Rich
              k="ledger.said"
              with={{
                at: <Num class="muted">{at(n.at)}</Num>,
                who: <Data>{n.who}</Data>,
                text: <Data>{n.text}</Data>,
                loss: <span class="muted">{lossText(n.loss)}</span>,
              }}
            />
          </li>
        ))}
      </ul>
    </details>
  );
}
