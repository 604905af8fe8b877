export const fire = {} as const;
