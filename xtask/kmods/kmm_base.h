/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KMM_BASE_H
#define KMM_BASE_H

int kmm_base_add(int value);
int kmm_base_scale(int value);

#endif
