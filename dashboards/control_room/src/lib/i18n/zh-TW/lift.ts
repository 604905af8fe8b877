export const lift = {} as const;
