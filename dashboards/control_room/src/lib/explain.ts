// An error in three parts: what happened, what it means for the building, what to do now.
import type { Problem } from './api';
import { t } from './i18n';

export function explain(error: Problem): { what: string; means: string; todo: string } {
  const detail = error.detail || error.title;
  if (error.status === 0) {
    const key = error.title === 'timeout' ? 'error.timeout' : error.title === 'network' ? 'error.network' : 'error.page';
    return { what: error.title === 'page' ? `${t(key)} ${error.detail}` : t(key), means: t('error.means'), todo: t('error.todo.network') };
  }
  if (error.status === 401) return { what: t('error.signed-out'), means: t('error.means'), todo: t('error.todo.sign-in') };
  if (error.status === 403) return { what: t('error.forbidden'), means: detail, todo: error.whatToDo || t('error.todo.forbidden') };
  if (error.status === 404) return { what: t('error.missing'), means: detail, todo: error.whatToDo || t('error.todo.missing') };
  if (error.status >= 500) return { what: t('error.server'), means: detail || t('error.means'), todo: error.whatToDo || t('error.todo.server') };
  return { what: t('error.refused'), means: detail, todo: error.whatToDo };
}
