export const parking = {} as const;
