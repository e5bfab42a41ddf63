import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "./i18n/text.ts";
import { AlarmsPage } from "./pages/alarms.tsx";
import { AssetPage } from "./pages/asset.tsx";
import { EdgesPage } from "./pages/edges.tsx";
import { ModelsPage } from "./pages/models.tsx";
import { OnCallPage } from "./pages/oncall.tsx";
import { PlantPage } from "./pages/plant.tsx";
import { RosterPage } from "./pages/roster.tsx";
import { Empty } from "./parts/empty.tsx";
import { Shell } from "./parts/shell.tsx";
import { setTitle } from "./parts/title.ts";
import { route } from "./route.ts";

function Page(): JSX.Element {
  const r = route.value;
  switch (r.page) {
    case "plant":
      return <PlantPage />;
    case "asset":
      return <AssetPage key={r.asset} path={r.asset} />;
    case "alarms":
      return <AlarmsPage id={r.id} />;
    case "edges":
      return <EdgesPage />;
    case "oncall":
      return <OnCallPage />;
    case "roster":
      return <RosterPage />;
    case "models":
      return <ModelsPage />;
    case "missing":
      return <Missing />;
  }
}

function Missing(): JSX.Element {
  useEffect(() => setTitle(t("missing.title")), []);
  return (
    <div class="page">
      <h1>{t("missing.title")}</h1>
      <Empty title={t("missing.text")} text={t("missing.hint")} />
    </div>
  );
}

export function App(): JSX.Element {
  return (
    <Shell>
      <Page />
    </Shell>
  );
}
