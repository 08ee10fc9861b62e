/** Makes the calls of the API page at this replica, and shows what it answers. */
import { bearer, keepToken } from './token.js';

const token = document.getElementById('token');
token.addEventListener('change', () => keepToken(token.value));

async function answerOf(form) {
  const { path, body } = form.elements;
  try {
    const response = await fetch(path.value, {
      method: form.dataset.method,
      headers: bearer(),
      body: body?.value,
    });
    return `${response.status} ${response.statusText}\n${await response.text()}`;
  } catch (error) {
    return String(error);
  }
}

for (const form of document.querySelectorAll('form.try')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const output = form.querySelector('output');
    output.textContent = await answerOf(form);
    output.parentElement.hidden = false;
  });
}
