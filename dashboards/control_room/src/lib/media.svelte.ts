// Width of the page in steps that layouts ask for; one listener for all.
class Media {
  phone = $state(false);
  /** 1920 px and the like: room for the columns that are nice to have. */
  wide = $state(true);

  constructor() {
    if (typeof matchMedia !== 'function') return;
    const phone = matchMedia('(max-width: 760px)');
    const wide = matchMedia('(min-width: 1600px)');
    const read = (): void => {
      this.phone = phone.matches;
      this.wide = wide.matches;
    };
    read();
    phone.addEventListener('change', read);
    wide.addEventListener('change', read);
  }
}
export const media = new Media();
