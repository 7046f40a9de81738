import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { classes } from "./Button";
import css from "./ui.module.css";

export interface Tab {
  id: string;
  label: string;
  /** Number shown beside the label; nothing for 0. */
  count?: number;
  content: ReactNode;
}

export interface TabsProps {
  /** What the tabs are of, for assistive technology. */
  label: string;
  tabs: readonly Tab[];
  value: string;
  onChange: (id: string) => void;
  className?: string;
  /** At the end of the row of tabs. */
  aside?: ReactNode;
}

export function Tabs({ label, tabs, value, onChange, className, aside }: TabsProps) {
  return (
    <Radix.Root value={value} onValueChange={onChange} className={classes(css.tabs, className)}>
      <div className={css.tabBar}>
        <Radix.List className={css.tabList} aria-label={label}>
          {tabs.map((tab) => (
            <Radix.Trigger key={tab.id} value={tab.id} className={css.tab}>
              {tab.label}
              {tab.count ? <span className={css.count}>{tab.count}</span> : null}
            </Radix.Trigger>
          ))}
        </Radix.List>
        {aside}
      </div>
      {tabs.map((tab) => (
        <Radix.Content key={tab.id} value={tab.id} className={css.tabContent} tabIndex={-1}>
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
