"""Examining models: what they predict, remember, answer and refuse, and how sure the figures are.

bits_per_byte, baselines, ngram, next_word, recall, forgetting     what a model predicts and remembers
task, answers, exercises, choice, refusal, local_tasks             what is asked, and when it is right
exam, few_shot, stages, papers, examination                        who is asked what, and how
interval, form, win_rate, helped                                   what the answers come to
card, card_page, card_table, card_words, spot_check                what a person is shown
lm_eval, lm_eval_tasks                                             lm-evaluation-harness
"""
