import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useApi } from "../api/context";
import { PreviewTab } from "../features/preview/PreviewTab";
import { Mark } from "../shared/ui/Mark";
import css from "./app.module.css";
import { Link } from "./Link";

export default function GenerationPage({ id }: { id: string }) {
  const api = useApi();
  const generation = useQuery({ queryKey: ["generation", id], queryFn: () => api.generation(id) });
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
