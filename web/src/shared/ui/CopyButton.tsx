import { Check, Copy } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { copyText } from "../lib/clipboard";
import { Button, IconButton } from "./Button";

/** Copies when clicked, and says so for a moment. With a `label` instead of words it is an icon alone. */
export function CopyButton({
  text,
  label,
  children,
  icon: what = <Copy size={14} />,
}: {
  text: () => string;
  icon?: ReactNode;
} & ({ label: string; children?: undefined } | { label?: undefined; children: string })) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const icon = copied ? <Check size={14} /> : what;
  const onClick = () => void copyText(text()).then(setCopied);
  if (children === undefined) {
    return <IconButton size="small" label={copied ? "Copied" : label} icon={icon} onClick={onClick} />;
  }
  return (
    <Button size="small" icon={icon} onClick={onClick}>
      {copied ? "Copied" : children}
    </Button>
  );
}
