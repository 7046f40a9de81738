import { useEffect } from "react";
import { PreviewTab } from "../features/preview/PreviewTab";
import { useGeneration } from "../features/preview/useGeneration";
import { Mark } from "../shared/ui/Mark";
import css from "./app.module.css";
import { Link } from "./Link";

export default function GenerationPage({ id }: { id: string }) {
  const generation = useGeneration(id);
  const name = generation.data?.name ?? "Preview";
  useEffect(() => {
    document.title = `${name} · previewd`;
  }, [name]);
  return (
    <main className={css.tab}>
      <PreviewTab
        generationId={id}
        className={css.fill}
        title={
          <span className={css.crumbs}>
            <Link href="/" className={css.home} aria-label="All projects" title="All projects">
              <Mark size={24} />
            </Link>
            <h1>{name}</h1>
          </span>
        }
      />
    </main>
  );
}
