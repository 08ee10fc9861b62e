/** The token that the replica may ask for: asked for once, kept for as long as the tab lives. */
const KEY = 'metadata-center-token';

export const keepToken = (token) => sessionStorage.setItem(KEY, token.trim());

export function bearer() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

export class Token {
  constructor(onChange) {
    this.dialog = document.getElementById('token-dialog');
    this.input = document.getElementById('token');
    this.dialog.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      keepToken(this.input.value);
      this.input.value = '';
      this.dialog.close();
      onChange();
    });
  }

  ask() {
    if (this.dialog.open) return;
    const refused = sessionStorage.getItem(KEY) !== null;
    document.getElementById('token-reason').textContent = refused
      ? 'This replica does not accept that token.'
      : 'This replica asks for a token.';
    sessionStorage.removeItem(KEY);
    this.dialog.showModal();
  }
}
