/** The product's mark. */
export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--pv-accent)" />
      <path d="M12 9.5v13l11-6.5z" fill="var(--pv-on-accent)" />
    </svg>
  );
}
