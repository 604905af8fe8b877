export const air = {} as const;
